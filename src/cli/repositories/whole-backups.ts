import type { Proof } from '../../repository/backups/backup-record.ts'
import { isWhole } from '../../repository/backups/manifest-selection.ts'
import { type Backup, listProofs } from '../../repository/backups/open-backup.ts'
import type { Repository } from '../../repository/repository.ts'
import type { CommandContext } from '../command-context.ts'
import { listAll } from './locate-backup.ts'

/** A backup, and one of the repositories that hold it. */
export interface LocatedBackup {
  readonly repository: Repository
  readonly backup: Backup
  /** Of this repository. */
  readonly proof: Proof | undefined
}

/** The backups of a database that leave nothing out, of all repositories. */
export async function wholeBackups(database: string, context: CommandContext): Promise<LocatedBackup[]> {
  const { listed } = await listAll(context)
  const found: LocatedBackup[] = []
  for (const { repository, backups } of listed) {
    const proofs = await listProofs(repository, context)
    for (const backup of backups) {
      if (backup.record.database !== database || !isWhole(backup.record.selection)) continue
      found.push({ repository, backup, proof: proofs.get(backup.id) })
    }
  }
  return found
}
