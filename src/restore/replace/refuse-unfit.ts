import { AppError } from '../../core/app-error.ts'
import { markSchema } from '../../postgres/catalog/unfinished-mark.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import type { RestoreJob } from '../restore-job.ts'

/** Throws `usage-invalid` for a backup or a choice that would leave less than was there, `restore-failed` for a database that can not hold it. */
export async function refuseUnfit(connection: Connection, { manifest, plan }: RestoreJob): Promise<void> {
  const { selection, database } = manifest
  if (!plan.whole || plan.choices.content !== 'all') {
    throw new AppError('usage-invalid', '--replace restores a whole backup, in the place of everything', {
      hint: 'leave out --table, --schema, --schema-only and --data-only; for single tables: --into-schema or --as',
    })
  }
  if (selection.content !== 'all' || selection.tables.length + selection.schemas.length > 0) {
    throw new AppError('usage-invalid', 'this backup holds a part of its database, and --replace would drop the rest', {
      hint: 'restore it into a new database, or single tables of it with --into-schema or --as',
    })
  }
  if (plan.beforeData.some(({ schema }) => schema === markSchema)) {
    throw new AppError('usage-invalid', `the backup holds objects in a schema called ${markSchema}`, {
      hint: 'a schema of this name says that a restore did not end: restore it into a new database',
    })
  }
  const encoding = connection.parameters.get('server_encoding') ?? ''
  if (encoding === database.encoding || (encoding === 'UTF8' && database.encoding !== 'SQL_ASCII')) return
  throw new AppError('restore-failed', `the database is ${encoding}, and the backup ${database.encoding}`, {
    hint: 'nothing was changed; restore into a database of the encoding of the backup',
  })
}
