import { AppError } from '../core/app-error.ts'
import type { Backup } from '../repository/open-backup.ts'
import { type BackupReference, describeBackupReference } from './backup-reference.ts'
import { printable } from './printable.ts'

/** The backup that a reference means. Throws `backup-unknown` when none or several fit. */
export function findBackup(backups: readonly Backup[], reference: BackupReference): Backup {
  const fitting =
    reference.kind === 'id'
      ? backups.filter(({ id }) => id.startsWith(reference.prefix))
      : backups
          .filter(({ record }) => reference.database === undefined || record.database === reference.database)
          .slice(-1)
  const [only] = fitting
  if (only && fitting.length === 1) return only
  const shown = printable(describeBackupReference(reference))
  throw new AppError(
    'backup-unknown',
    fitting.length === 0
      ? `there is no backup "${shown}"`
      : `${fitting.length} backups begin with "${shown}": ${fitting.map(({ id }) => id).join(', ')}`,
    { hint: '"pgrevive list" shows all ids; "latest" and "latest:DATABASE" work too' },
  )
}
