import { constants } from 'node:fs'
import { posix } from 'node:path'
import type { Stats } from 'ssh2'
import { AppError } from '../../core/app-error.ts'
import type { SftpConnection } from './sftp-connection.ts'
import { hasStatus } from './sftp-errors.ts'

export interface FileDescription {
  readonly isFile: boolean
  readonly sizeBytes: number
  readonly modifiedAt: Date
  isDirectory(): boolean
}

/** Makes it and those above it, where they are not there. */
export async function makeFolder(connection: SftpConnection, path: string): Promise<void> {
  if (await isFolder(connection.stat(path))) return
  if (posix.dirname(path) !== path) await makeFolder(connection, posix.dirname(path))
  try {
    await connection.makeDirectory(path)
  } catch (error) {
    // another writer may have made it meanwhile
    if (!(await isFolder(connection.stat(path)))) throw error
  }
}

/** No, where there is nothing. */
export async function isFolder(stats: Promise<Stats>): Promise<boolean> {
  try {
    return (await stats).isDirectory()
  } catch (error) {
    if (hasStatus(error, 'noSuchFile')) return false
    throw error
  }
}

/** In place of what is there; where the server can not do that in one step, there is neither for a moment. */
export async function replaceFile(connection: SftpConnection, from: string, to: string): Promise<void> {
  if (await connection.replace(from, to)) return
  try {
    await connection.rename(from, to)
  } catch (error) {
    if (!hasStatus(error, 'failure', 'alreadyThere') || !(await removeIfThere(connection, to))) throw error
    await connection.rename(from, to)
  }
}

/** Whether it was. */
export async function removeIfThere(connection: SftpConnection, path: string): Promise<boolean> {
  try {
    await connection.unlink(path)
    return true
  } catch (error) {
    if (hasStatus(error, 'noSuchFile')) return false
    throw error
  }
}

/** Makes the name of a file durable that is so already. */
export async function syncName(connection: SftpConnection, path: string): Promise<void> {
  if (!connection.canSync) return
  const handle = await connection.open(path, 'r')
  try {
    await connection.sync(handle)
  } finally {
    await connection.close(handle)
  }
}

/** Throws `store-failed` for a server that tells less than it must. */
export function describeFile({ mode, size, mtime }: Partial<Stats>): FileDescription {
  if (mode === undefined || size === undefined || mtime === undefined) {
    throw new AppError('store-failed', 'the SFTP server does not tell what is a file, its size and its time', {
      hint: 'pgrevive can not rely on this server',
    })
  }
  const kind = mode & constants.S_IFMT
  return {
    isDirectory: () => kind === constants.S_IFDIR,
    isFile: kind === constants.S_IFREG,
    sizeBytes: size,
    modifiedAt: new Date(mtime * 1000),
  }
}
