import { AppError, messageOf } from '../../core/app-error.ts'

export function isMissing(error: unknown): boolean {
  return isSystemError(error) && error.code === 'ENOENT'
}

export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error
}

/** The file system's errors in the words of a store; `what` they happened to. Other errors as they are. */
export function translate(error: unknown, what: string): unknown {
  if (!isSystemError(error)) return error
  switch (error.code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new AppError('store-missing', `${what} does not exist`, {
        cause: error,
        hint: 'check the path, and that the disk is mounted; if there never was a repository, "pgrevive init" creates one',
      })
    case 'ENOSPC':
    case 'EDQUOT':
      return new AppError('store-full', `no space left for ${what}`, {
        cause: error,
        hint: 'nothing that was stored before is touched; free space and run the same command again',
      })
    case 'EFBIG':
      return new AppError('store-failed', `${what}: the file is larger than this user or the file system allows`, {
        cause: error,
        hint: 'nothing that was stored before is touched; "ulimit -f unlimited" before pgrevive, or LimitFSIZE=infinity in its unit; a FAT disk takes no files of 4 GiB',
      })
    case 'EACCES':
    case 'EPERM':
      return new AppError('store-denied', `no permission for ${what} (${error.code})`, {
        cause: error,
        hint: 'run as the user who owns the directory, or change its owner',
      })
    case 'EROFS':
      return new AppError('store-denied', `${what}: the file system is read-only`, {
        cause: error,
        hint: 'mount it so that it can be written, and run the same command again; what only reads works as it is',
      })
    case undefined:
    default:
      return new AppError('store-failed', `${what}: ${messageOf(error)}`, { cause: error })
  }
}
