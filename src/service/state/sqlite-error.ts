import { AppError, messageOf } from '../../core/app-error.ts'

// Primary result codes of SQLite: https://sqlite.org/rescode.html
const busy = 5
const corrupt = 11
const notADatabase = 26

/** The code that SQLite gave; undefined for what is no error of SQLite. */
function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error && 'errcode' in error && typeof error.errcode === 'number')) return undefined
  return error.errcode & 0xff
}

export function isBusy(error: unknown): boolean {
  return sqliteCode(error) === busy
}

/** What went wrong when the state was opened, as an error that says what is safe and what to do. */
export function explainSqlite(error: unknown, file: string): AppError {
  if (error instanceof AppError) return error
  const code = sqliteCode(error)
  if (code === corrupt || code === notADatabase) return damagedState(file, messageOf(error), error)
  return new AppError('state-failed', `the state in "${file}" can not be opened: ${messageOf(error)}`, {
    cause: error,
    hint: 'its directory must be writable for this user, on a disk with free space; another one is named with --state, or "state:" below "service:" in pgrevive.yaml',
  })
}

export function damagedState(file: string, problem: string, cause?: unknown): AppError {
  return new AppError('state-damaged', `the state in "${file}" is damaged: ${problem}`, {
    cause,
    hint: 'the backups are safe, and so is pgrevive.yaml: nothing of them is in it, only accounts, tokens and what happened when. Put a copy in its place, such as the newest "….before-N", or move the file away with its -wal and -shm, and start again: a new state is made',
  })
}
