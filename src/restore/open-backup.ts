import { AppError } from '../core/app-error.ts'
import { type BackupRecord, backupRecordSchema } from '../repository/backup-record.ts'
import { type Manifest, manifestSchema } from '../repository/manifest.ts'
import type { Repository } from '../repository/repository.ts'
import type { RepositoryReader } from '../repository/repository-reader.ts'
import type { StreamRef } from '../repository/stream-ref.ts'

interface ReadOptions {
  readonly signal?: AbortSignal | undefined
}

export interface Backup {
  readonly id: string
  readonly committedAt: Date
  readonly record: BackupRecord
}

/** All backups whose record can be read, oldest first, and the ids of those whose record can not. */
export async function listBackups(
  repository: Repository,
  options: ReadOptions = {},
): Promise<{ backups: Backup[]; damaged: string[] }> {
  const backups: Backup[] = []
  const damaged: string[] = []
  for await (const stored of repository.records(options)) {
    const parsed = stored.state === 'damaged' ? undefined : backupRecordSchema.safeParse(stored.body)
    if (parsed?.success && stored.state !== 'damaged') {
      backups.push({ id: stored.id, committedAt: stored.committedAt, record: parsed.data })
    } else damaged.push(stored.id)
  }
  return { backups, damaged }
}

/** The backup that `reference` means: an id or a unique beginning of one, `latest`, or `latest:DATABASE`. */
export function findBackup(backups: readonly Backup[], reference: string): Backup {
  const [word, ...rest] = reference.split(':')
  if (word === 'latest') {
    const database = rest.join(':')
    const found = backups.findLast(({ record }) => rest.length === 0 || record.database === database)
    if (found) return found
    const of = rest.length === 0 ? '' : ` of ${JSON.stringify(database)}`
    throw new AppError('backup-unknown', `the repository holds no backup${of}`, {
      hint: 'pgrevive list shows what there is; pgrevive backup makes one',
    })
  }
  const found = backups.filter(({ id }) => id.startsWith(reference.toUpperCase()))
  const [only] = found
  if (only && found.length === 1) return only
  throw new AppError(
    'backup-unknown',
    found.length === 0
      ? `no backup has the id ${JSON.stringify(reference)}`
      : `${found.length} backups begin with ${JSON.stringify(reference)}: ${found.map(({ id }) => id).join(', ')}`,
    { hint: 'pgrevive list shows all ids; "latest" and "latest:DATABASE" work too' },
  )
}

export async function readManifest(
  reader: RepositoryReader,
  { record }: Backup,
  options: ReadOptions = {},
): Promise<Manifest> {
  return manifestSchema.parse(JSON.parse((await readWhole(reader, record.manifest, options)).toString('utf8')))
}

/** A stream that is known to be small: a schema, a manifest. */
export async function readWhole(
  reader: RepositoryReader,
  stream: StreamRef,
  options: ReadOptions = {},
): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of reader.read(stream, options)) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}

export async function readSchemaText(
  reader: RepositoryReader,
  manifest: Manifest,
  options: ReadOptions = {},
): Promise<{ preData: string; postData: string } | undefined> {
  if (!manifest.schema) return undefined
  const encoding = manifest.schema.encoding === 'SQL_ASCII' ? 'latin1' : 'utf8'
  return {
    preData: (await readWhole(reader, manifest.schema.preData, options)).toString(encoding),
    postData: (await readWhole(reader, manifest.schema.postData, options)).toString(encoding),
  }
}
