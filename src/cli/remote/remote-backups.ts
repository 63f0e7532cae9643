import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { printable } from '../../core/text/printable.ts'
import { type Backup, backup, databaseSummary } from '../../shapes/database.ts'
import { type BackupReference, describeBackupReference } from '../repositories/backup-reference.ts'
import type { ServiceClient } from './service-client.ts'

/** Of one database or of all, the newest first, as the service knows them. */
export async function backupsOf(database: string | undefined, client: ServiceClient): Promise<Backup[]> {
  const names =
    database === undefined
      ? (await client.ask(z.array(databaseSummary), 'GET', '/api/databases')).map(({ name }) => name)
      : [database]
  const lists = await Promise.all(
    names.map((name) => client.ask(z.array(backup), 'GET', `/api/databases/${encodeURIComponent(name)}/backups`)),
  )
  const all = lists.flat().filter((one) => database === undefined || one.database === database)
  return all.toSorted((one, other) => (one.snapshotAt < other.snapshotAt ? 1 : -1))
}

/** The id of the backup that a reference means. Rejects with `backup-unknown` when none or several fit. */
export async function findBackup(reference: BackupReference, client: ServiceClient): Promise<string> {
  const isWhole = reference.kind === 'id' && z.ulid().safeParse(reference.prefix).success
  if (isWhole) return reference.prefix
  const all = await backupsOf(reference.kind === 'latest' ? reference.database : undefined, client)
  const fitting =
    reference.kind === 'latest' ? all.slice(0, 1) : all.filter(({ id }) => id.startsWith(reference.prefix))
  const [only, other] = fitting
  if (only && !other) return only.id
  const shown = printable(describeBackupReference(reference))
  const message = other
    ? `${fitting.length} backups begin with "${shown}": ${fitting.map(({ id }) => id).join(', ')}`
    : `the service knows no backup "${shown}"`
  throw new AppError('backup-unknown', message, {
    hint: '"pgrevive --server URL list" shows all ids; "latest" and "latest:DATABASE" work too',
  })
}
