import { AppError, inContext } from '../../core/app-error.ts'
import type { Manifest } from '../../repository/backups/manifest.ts'
import { listProofs, momentOf, readBackupTexts, readManifest } from '../../repository/backups/open-backup.ts'
import type { CommandContext } from '../command-context.ts'
import type { BackupReference } from '../repositories/backup-reference.ts'
import { describeSelection } from '../../repository/backups/manifest-selection.ts'
import { locateBackup } from '../repositories/locate-backup.ts'
import { type LocatedBackup, wholeBackups } from '../repositories/whole-backups.ts'
import { printable } from '../../core/text/printable.ts'

/** A backup that can be opened, and what it makes of a database. */
export interface ChosenBackup extends LocatedBackup {
  readonly manifest: Manifest
}

export interface BackupChoice {
  readonly reference: BackupReference | undefined
  readonly allowUnproven: boolean
  /** One that is named need not hold everything. */
  readonly partial: boolean
}

/**
 * The newest backup of a database that holds all of it and is proven, or the one that is meant. Reads what it needs of it,
 * so that a key that can not read, or a backup that is damaged, shows before anything is touched. Throws `backup-unknown`
 * where none is proven and an unproven one is not allowed.
 */
export async function chooseBackup(
  database: string,
  { reference, allowUnproven, partial }: BackupChoice,
  context: CommandContext,
): Promise<ChosenBackup> {
  const candidates = reference ? [await findNamed(reference, context)] : await wholeBackups(database, context)
  const proven = candidates.filter(({ proof }) => proof?.outcome === 'proven')
  const chosen = (proven.length > 0 ? proven : allowUnproven ? candidates : []).toSorted(
    (a, b) => momentOf(b.backup) - momentOf(a.backup),
  )[0]
  if (!chosen) {
    throw new AppError(
      'backup-unknown',
      candidates.length === 0
        ? `there is no backup that holds all of "${printable(database)}"`
        : `no backup of "${printable(database)}" is proven`,
      {
        hint:
          candidates.length === 0
            ? 'nothing was touched; "pgrevive list" shows what there is, and --backup names one'
            : 'nothing was touched; "pgrevive prove" proves the newest one on a scratch server, --allow-unproven does without',
      },
    )
  }
  const leftOut = describeSelection(chosen.backup.record.selection)
  if (leftOut !== undefined && !partial) {
    throw new AppError('usage-invalid', `backup ${chosen.backup.id} does not hold ${leftOut}`, {
      hint: 'nothing was touched; name another one, or add --partial to bring back only what it holds',
    })
  }
  try {
    const reader = await chosen.repository.openReader(context)
    const manifest = await readManifest(reader, chosen.backup, context)
    await readBackupTexts(reader, manifest, context)
    return { ...chosen, manifest }
  } catch (error) {
    throw inContext(`backup ${chosen.backup.id} can not be opened, and nothing was touched`, error)
  }
}

async function findNamed(reference: BackupReference, context: CommandContext): Promise<LocatedBackup> {
  const { backup, found } = await locateBackup(reference, context)
  const proofs = await listProofs(found.repository, context)
  return { repository: found.repository, backup, proof: proofs.get(backup.id) }
}
