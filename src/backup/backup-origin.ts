import type { DatabaseProperties } from '../postgres/catalog/database.ts'
import type { BackupRecord } from '../repository/backups/backup-record.ts'
import type { Manifest } from '../repository/backups/manifest.ts'

/** Of a database that is only there to be backed up: what it was where it came from. */
export interface BackupOrigin {
  /** Where it came from, as `list` names the source. */
  readonly source: string
  /** When it was as it is. */
  readonly at: Date
  /** Properties that the server which holds it now may not be able to have. */
  readonly database: Partial<DatabaseProperties>
  readonly imported: NonNullable<BackupRecord['imported']>
}

/** Without what is true only of the server that holds the database now. */
export function withOrigin(manifest: Manifest, { at, database }: BackupOrigin): Manifest {
  return {
    ...manifest,
    database: { ...manifest.database, ...database },
    server: { ...manifest.server, systemIdentifier: null },
    snapshot: { ...manifest.snapshot, at: at.toISOString(), lsn: '0/0' },
  }
}
