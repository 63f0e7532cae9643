import { AppError } from '../../core/app-error.ts'
import type { CommandOptions, Connection } from '../../postgres/wire/connection.ts'
import { sqlStateOf } from '../../postgres/wire/postgres-error.ts'

export interface WaitOptions extends CommandOptions {
  /** How long a lock of another session is waited for. */
  readonly lockTimeoutMs?: number | undefined
}

const usualLockTimeoutMs = 60_000

/** For the rest of the session: nobody waits without end, nor lets others queue up behind, for a lock of somebody else. */
export async function limitWaits(
  connection: Connection,
  { lockTimeoutMs = usualLockTimeoutMs, ...options }: WaitOptions,
): Promise<void> {
  await connection.execute(`SET lock_timeout = ${lockTimeoutMs}`, options)
}

/** `table-locked` for what did not get its locks. */
export function explainWait(error: unknown, { lockTimeoutMs = usualLockTimeoutMs }: WaitOptions): unknown {
  if (sqlStateOf(error) !== '55P03') return error
  return new AppError(
    'table-locked',
    `another session kept a table, or rows of it, locked for ${lockTimeoutMs / 1000} s`,
    {
      cause: error,
      hint: 'nothing was changed; pg_stat_activity and pg_blocking_pids() say who it is: run the same command again when that has ended',
    },
  )
}
