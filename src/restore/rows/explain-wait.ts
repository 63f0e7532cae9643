import { AppError } from '../../core/app-error.ts'
import { sqlStateOf } from '../../postgres/wire/postgres-error.ts'
import { type WaitOptions, lockTimeoutOf } from '../lock-waits.ts'

/** `table-locked` for what did not get its locks. */
export function explainWait(error: unknown, options: WaitOptions): unknown {
  if (sqlStateOf(error) !== '55P03') return error
  return new AppError(
    'table-locked',
    `another session kept a table, or rows of it, locked for ${lockTimeoutOf(options) / 1000} s`,
    {
      cause: error,
      hint: 'nothing was changed; pg_stat_activity and pg_blocking_pids() say who it is: run the same command again when that has ended',
    },
  )
}
