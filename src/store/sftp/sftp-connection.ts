import type { Socket } from 'node:net'
import type { Client, FileEntryWithStats, SFTPWrapper, Stats } from 'ssh2'
import { messageOf } from '../../core/app-error.ts'
import { ConnectionLost } from '../../ssh/ssh-session.ts'
import { SftpFailure, hasStatus, sftpStatus } from './sftp-errors.ts'
import type { SftpSession } from './ssh-session.ts'

type Answer<Result> = (error?: Error | null, result?: Result) => void

/**
 * One connection, on which any number of requests may be under way; all of them are rejected with `ConnectionLost` once
 * it is gone, or when the server says nothing for too long. While there are none it does not keep the process alive.
 * What the server refuses is an `SftpFailure`.
 */
export class SftpConnection {
  readonly #client: Client
  readonly #socket: Socket
  readonly #sftp: SFTPWrapper
  readonly #silenceMs: number
  readonly #waiting = new Set<(error: ConnectionLost) => void>()
  #silence: NodeJS.Timeout | undefined
  #lost: ConnectionLost | undefined
  #canSync = true

  constructor({ client, socket, sftp }: SftpSession, silenceMs: number) {
    this.#client = client
    this.#socket = socket
    this.#sftp = sftp
    this.#silenceMs = silenceMs
    client.on('error', (error) => this.#lose(messageOf(error)))
    client.on('close', () => this.#lose('the connection broke'))
    sftp.on('error', (error: Error) => this.#lose(messageOf(error)))
    sftp.on('end', () => this.#lose('the server ended the session'))
    socket.unref()
  }

  get isLost(): boolean {
    return this.#lost !== undefined
  }

  /** As far as it is known. */
  get canSync(): boolean {
    return this.#canSync
  }

  open(path: string, flags: 'r' | 'wx'): Promise<Buffer> {
    return this.#ask<Buffer>((answer) => this.#sftp.open(path, flags, flags === 'r' ? {} : { mode: 0o600 }, answer))
  }

  close(handle: Buffer): Promise<void> {
    return this.#ask<void>((answer) => this.#sftp.close(handle, answer))
  }

  /** Resolves to how many bytes there were: 0 behind the end. */
  read(
    handle: Buffer,
    into: Buffer,
    at: { readonly offset: number; readonly length: number; readonly position: number },
  ) {
    return this.#ask<number>((answer) => this.#sftp.read(handle, into, at.offset, at.length, at.position, answer))
  }

  write(handle: Buffer, bytes: Buffer, position: number): Promise<void> {
    return this.#ask<void>((answer) => this.#sftp.write(handle, bytes, 0, bytes.length, position, answer))
  }

  /** Makes a file durable, if this server can. */
  async sync(handle: Buffer): Promise<void> {
    this.#canSync &&= await this.#askIfAble((answer) => this.#sftp.ext_openssh_fsync(handle, answer))
  }

  stat(path: string): Promise<Stats> {
    return this.#ask<Stats>((answer) => this.#sftp.stat(path, answer))
  }

  /** Of a link itself. */
  lstat(path: string): Promise<Stats> {
    return this.#ask<Stats>((answer) => this.#sftp.lstat(path, answer))
  }

  fstat(handle: Buffer): Promise<Stats> {
    return this.#ask<Stats>((answer) => this.#sftp.fstat(handle, answer))
  }

  unlink(path: string): Promise<void> {
    return this.#ask<void>((answer) => this.#sftp.unlink(path, answer))
  }

  makeDirectory(path: string): Promise<void> {
    return this.#ask<void>((answer) => this.#sftp.mkdir(path, { mode: 0o700 }, answer))
  }

  /** In place of what is there, in one step. False: this server can not. */
  replace(from: string, to: string): Promise<boolean> {
    return this.#askIfAble((answer) => this.#sftp.ext_openssh_rename(from, to, answer))
  }

  /** Fails if something is there already. */
  rename(from: string, to: string): Promise<void> {
    return this.#ask<void>((answer) => this.#sftp.rename(from, to, answer))
  }

  async readDirectory(path: string): Promise<FileEntryWithStats[]> {
    const handle = await this.#ask<Buffer>((answer) => this.#sftp.opendir(path, answer))
    const entries: FileEntryWithStats[] = []
    try {
      for (;;) entries.push(...(await this.#ask<FileEntryWithStats[]>((answer) => this.#sftp.readdir(handle, answer))))
    } catch (error) {
      if (!hasStatus(error, 'endOfFile')) throw error
    } finally {
      this.close(handle).catch(() => undefined) // it was only read
    }
    return entries
  }

  /** For ordinary users; undefined: this server does not tell. */
  async freeBytes(path: string): Promise<number | undefined> {
    let free: number | undefined
    await this.#askIfAble((answer) =>
      this.#sftp.ext_openssh_statvfs(path, (error, info: { f_frsize: number; f_bavail: number }) => {
        if (!error) free = info.f_frsize * info.f_bavail
        answer(error)
      }),
    )
    return free
  }

  async #askIfAble(send: (answer: Answer<unknown>) => void): Promise<boolean> {
    try {
      await this.#ask(send)
      return true
    } catch (error) {
      if (hasStatus(error, 'unsupported')) return false
      throw error
    }
  }

  #ask<Result>(send: (answer: Answer<Result>) => void): Promise<Result> {
    if (this.#lost) return Promise.reject(this.#lost)
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    this.#wait(reject)
    const answer: Answer<Result> = (error, result) => {
      if (this.#lost) return // and told already
      this.#hear(reject)
      if (error)
        reject(new SftpFailure('code' in error && typeof error.code === 'number' ? error.code : 0, messageOf(error)))
      else resolve(result as Result) // void, or what ssh2 hands over where there is no error
    }
    try {
      send(answer)
    } catch (error) {
      // ssh2 throws for extensions that the server has not announced
      answer(Object.assign(new Error(messageOf(error)), { code: sftpStatus.unsupported }))
    }
    return promise
  }

  #wait(reject: (error: ConnectionLost) => void): void {
    if (this.#waiting.size === 0) {
      this.#socket.ref()
      const seconds = Math.round(this.#silenceMs / 1000)
      this.#silence = setTimeout(() => this.#lose(`the server has said nothing for ${seconds} s`), this.#silenceMs)
    }
    this.#waiting.add(reject)
  }

  #hear(reject: (error: ConnectionLost) => void): void {
    this.#waiting.delete(reject)
    this.#silence?.refresh()
    if (this.#waiting.size > 0) return
    clearTimeout(this.#silence)
    this.#socket.unref()
  }

  #lose(reason: string): void {
    if (this.#lost) return
    this.#lost = new ConnectionLost(reason)
    clearTimeout(this.#silence)
    for (const reject of this.#waiting) reject(this.#lost)
    this.#waiting.clear()
    this.#client.destroy()
  }
}
