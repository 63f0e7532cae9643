import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type Server, createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf } from '../../core/app-error.ts'
import { type SftpPlace, parseSftpPlace } from './sftp-place.ts'
import type { SshSurroundings } from '../../ssh/ssh-surroundings.ts'

const sshd = '/usr/sbin/sshd'

export interface TestSftpOptions {
  /** What speaks SFTP: `internal-sftp -R` refuses writes, `internal-sftp -P fsync,posix-rename` knows less. */
  readonly program?: string
  /** Where all of it begins for whoever logs in, as hosters have it; only root can start such a server. */
  readonly chroot?: string
}

/**
 * OpenSSH's sshd, started once for each connection as inetd does it: nothing is left when the test's process dies. All
 * log in as the user who runs the tests, with the key in `home`.
 */
export class TestSftpServer implements AsyncDisposable {
  /** A home directory: keys, and the host's key in `known_hosts`. */
  readonly home: string
  /** A folder for stores. */
  readonly directory: string
  readonly #server: Server
  readonly #sessions = new Set<ChildProcess>()
  #port = 0

  private constructor(home: string, server: Server) {
    this.home = home
    this.directory = join(home, 'stores')
    this.#server = server
  }

  /** Returns why there is none, having said it loudly: tests are then skipped. */
  static async start(options: TestSftpOptions = {}): Promise<TestSftpServer | string> {
    try {
      await access(sshd)
      if (process.geteuid?.() === 0) await mkdir('/run/sshd', { recursive: true, mode: 0o755 }) // sshd asks for it
      const home = await mkdtemp(join(tmpdir(), 'pgrevive-sftp-'))
      const server = new TestSftpServer(home, createServer({ pauseOnConnect: true }))
      await server.#prepare(options)
      await server.listen()
      return server
    } catch (error) {
      const problem = `no SFTP server: ${messageOf(error)}`
      console.error(`\nALL TESTS ON SFTP ARE SKIPPED: ${problem} (apt install openssh-server)\n`)
      return problem
    }
  }

  get port(): number {
    return this.#port
  }

  /** With `path` below `directory`, or as it is if it begins with `/`; `more` is a query. */
  url(path: string, more = ''): string {
    return `sftp://${userInfo().username}@127.0.0.1:${this.#port}${path.startsWith('/') ? path : join(this.directory, path)}${more}`
  }

  place(path: string, more = ''): SftpPlace {
    return parseSftpPlace(this.url(path, more))
  }

  get surroundings(): SshSurroundings {
    return { environment: {}, homeDirectory: this.home }
  }

  /** At the port of the first time. */
  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    const address = this.#server.address()
    if (address !== null && typeof address === 'object') this.#port = address.port
    const [type, key] = (await readFile(join(this.home, 'host_key.pub'), 'utf8')).split(' ')
    await writeFile(join(this.home, '.ssh', 'known_hosts'), `[127.0.0.1]:${this.#port} ${type} ${key}\n`)
  }

  /** Ends it in the middle of whatever it does, with all of its sessions. */
  async kill(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, 'close') : undefined
    this.#server.close()
    const ended = [...this.#sessions].map((session) => once(session, 'exit'))
    await this.#signalSessions('SIGKILL')
    await Promise.all([closed, ...ended])
  }

  /** Connections stay, and nothing comes over them until `thaw`. */
  async freeze(): Promise<void> {
    await this.#signalSessions('SIGSTOP')
  }

  async thaw(): Promise<void> {
    await this.#signalSessions('SIGCONT')
  }

  get sessions(): number {
    return this.#sessions.size
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    await rm(this.home, { recursive: true, force: true })
  }

  async #prepare({ program = 'internal-sftp', chroot }: TestSftpOptions): Promise<void> {
    const folder = join(this.home, '.ssh')
    await mkdir(folder, { mode: 0o700 })
    await mkdir(this.directory)
    await Promise.all([makeKey(join(folder, 'id_ed25519')), makeKey(join(this.home, 'host_key'))])
    const config = [
      `HostKey ${this.home}/host_key`,
      `AuthorizedKeysFile ${folder}/id_ed25519.pub`,
      'StrictModes no',
      'UsePAM no',
      'PermitRootLogin yes',
      'LogLevel ERROR',
      `Subsystem sftp ${program}`,
      ...(chroot === undefined ? [] : [`ChrootDirectory ${chroot}`]),
    ]
    await writeFile(join(this.home, 'sshd_config'), `${config.join('\n')}\n`)
    this.#server.on('connection', (socket) => {
      const session = spawn(sshd, ['-i', '-e', '-f', join(this.home, 'sshd_config')], {
        stdio: [socket, socket, 'inherit'],
      })
      this.#sessions.add(session)
      session.on('exit', () => this.#sessions.delete(session))
      socket.destroy()
    })
  }

  async #signalSessions(signal: NodeJS.Signals): Promise<void> {
    for (const { pid } of this.#sessions) {
      for (const processId of pid === undefined ? [] : await withChildren(pid)) signalProcess(processId, signal)
    }
  }
}

async function makeKey(path: string): Promise<void> {
  await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', path])
}

/** A session of sshd is several processes, each in a process group of its own. */
async function withChildren(processId: number): Promise<number[]> {
  const text = await readFile(`/proc/${processId}/task/${processId}/children`, 'latin1').catch(() => '')
  const children = text.split(' ').filter((word) => word !== '')
  return [processId, ...(await Promise.all(children.map((child) => withChildren(Number(child))))).flat()]
}

function signalProcess(processId: number, signal: NodeJS.Signals): void {
  try {
    process.kill(processId, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error // it has ended by itself
  }
}
