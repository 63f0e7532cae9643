import { AppError } from '../../core/app-error.ts'
import { decodeTime } from 'ulid'
import { type Backup, momentOf } from '../../repository/backups/open-backup.ts'
import { type BackupReference, describeBackupReference } from './backup-reference.ts'
import { printable } from '../../core/text/printable.ts'

/**
 * The backup that a reference means, among those that are listed and those whose record is damaged. Throws
 * `backup-unknown` when none or several fit, and `object-damaged` where a damaged one fits, or may be the latest.
 */
export function findBackup(
  { backups, damaged }: { readonly backups: readonly Backup[]; readonly damaged: readonly string[] },
  reference: BackupReference,
): Backup {
  const fitting =
    reference.kind === 'id'
      ? backups.filter(({ id }) => id.startsWith(reference.prefix))
      : backups
          .filter(({ record }) => reference.database === undefined || record.database === reference.database)
          .slice(-1)
  const [only] = fitting
  const unreadable = damaged.findLast((id) =>
    reference.kind === 'id' ? id.startsWith(reference.prefix) : mayBeLater(id, only),
  )
  if (unreadable !== undefined) throw damagedRecord(unreadable, reference)
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

/** Nothing is later than its id: an imported backup is of an earlier time. */
function mayBeLater(id: string, found: Backup | undefined): boolean {
  if (!found?.record.imported) return id > (found?.id ?? '')
  return decodeTime(id) >= momentOf(found)
}

function damagedRecord(id: string, reference: BackupReference): AppError {
  const perhaps = reference.kind === 'id' ? '' : ', which may be the latest,'
  return new AppError('object-damaged', `the record of backup ${id}${perhaps} is damaged: it can not be restored`, {
    hint: 'name another one ("pgrevive list" shows them), or copy the object from another copy of the repository: "pgrevive check" names it',
  })
}
