import { AppError } from '../core/app-error.ts'
import type { CommandOptions, Connection } from '../postgres/wire/connection.ts'
import { sqlStateOf } from '../postgres/wire/postgres-error.ts'

export interface WaitOptions extends CommandOptions {
  /** How long a lock of another session is waited for; absent: a minute. */
  readonly lockTimeoutMs?: number | undefined
}

export function lockTimeoutOf({ lockTimeoutMs = 60_000 }: WaitOptions): number {
  return lockTimeoutMs
}

/** For the rest of the session: nobody waits without end, nor lets others queue up behind, for a lock of somebody else. */
export async function limitWaits(connection: Connection, options: WaitOptions): Promise<void> {
  await connection.execute(`SET lock_timeout = ${lockTimeoutOf(options)}`, options)
}

/**
 * Looks at a database without waiting for ever: functions that describe a table want it unlocked, too. Throws
 * `table-locked`.
 */
export async function withLockTimeout<Result>(
  connection: Connection,
  waits: WaitOptions,
  work: () => Promise<Result>,
): Promise<Result> {
  await limitWaits(connection, waits)
  const result = await explainWaits(waits, work)
  await connection.execute('SET lock_timeout = 0', waits)
  return result
}

/** What does not get its locks, in words that help. A transaction is over then, and nothing was changed. */
export async function explainWaits<Result>(waits: WaitOptions, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    const state = sqlStateOf(error)
    // lock_not_available, deadlock_detected
    if (state === '55P03' || state === '40P01') {
      throw new AppError('table-locked', `other sessions kept tables locked for ${lockTimeoutOf(waits) / 1000} s`, {
        cause: error,
        hint: 'nothing was changed; "select * from pg_locks where mode = \'AccessExclusiveLock\'" finds them: stop what they do, and run the same command again',
      })
    }
    if (state !== '53200') throw error
    throw new AppError('query-failed', 'the server has no room for as many locks as there are tables and indexes', {
      cause: error,
      hint: 'nothing was changed; raise max_locks_per_transaction and restart the server',
    })
  }
}
