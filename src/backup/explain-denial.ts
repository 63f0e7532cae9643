import { AppError, hasCode } from '../core/app-error.ts'
import { PostgresError } from '../postgres/wire/postgres-error.ts'

/** A refusal to read, with what would help. Everything else stays as it is. */
export function explainDenial(error: unknown): unknown {
  if (!hasCode(error, 'permission-denied') || !(error.cause instanceof PostgresError)) return error
  return new AppError('permission-denied', error.message, {
    cause: error.cause,
    hint: hintFor(error, error.cause),
  })
}

function hintFor({ message }: AppError, { routine }: PostgresError): string {
  if (routine === 'check_enable_rls') {
    return 'connect as a role with BYPASSRLS, or leave the rows of the table out of backups with --exclude-table-data'
  }
  if (message.startsWith('large objects: ')) {
    return 'connect as their owner or a superuser: pg_read_all_data does not include large objects'
  }
  return 'GRANT pg_read_all_data to the role (PostgreSQL 14), or leave the object out of backups with --exclude-table or --exclude-schema'
}
