import { AppError } from '../core/app-error.ts'
import { type LargeObject, largeObjectsSchema } from '../postgres/large-objects.ts'
import { type ServerGlobals, serverGlobalsSchema } from '../postgres/server-globals.ts'
import { type BackupRecord, type Proof, backupRecordSchema, proofSchema } from './backup-record.ts'
import { type Manifest, manifestSchema } from './manifest.ts'
import type { Repository } from './repository.ts'
import type { RepositoryReader } from './repository-reader.ts'
import type { StreamRef } from './stream-ref.ts'
import type { BackupTexts } from './restore-plan.ts'

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

/** The newest proof of each backup, by the id of the backup. */
export async function listProofs(repository: Repository, options: ReadOptions = {}): Promise<Map<string, Proof>> {
  const proofs = new Map<string, Proof>()
  for await (const stored of repository.proofs(options)) {
    const parsed = stored.state === 'saved' ? proofSchema.safeParse(stored.body) : undefined
    if (parsed?.success) proofs.set(parsed.data.backup, parsed.data)
  }
  return proofs
}

/** Every stream that a backup needs, with the name that a person would give it; the manifest first. */
export async function* backupStreams(
  reader: RepositoryReader,
  stored: { readonly id: string; readonly body: unknown },
  options: ReadOptions = {},
): AsyncIterable<{ name: string; stream: StreamRef }> {
  const parsed = backupRecordSchema.safeParse(stored.body)
  if (!parsed.success) {
    throw new AppError('object-damaged', `the record of backup ${stored.id} is not one`, { cause: parsed.error })
  }
  yield { name: 'manifest', stream: parsed.data.manifest }
  const manifest = await readManifest(reader, { record: parsed.data }, options)
  yield { name: 'roles and tablespaces', stream: manifest.globals }
  if (manifest.schema) {
    yield { name: 'schema before data', stream: manifest.schema.preData }
    yield { name: 'schema after data', stream: manifest.schema.postData }
  }
  for (const { schema, name, parts } of manifest.tables) {
    for (const stream of parts) yield { name: `table ${schema}.${name}`, stream }
  }
  if (manifest.largeObjects) {
    yield { name: 'large objects', stream: manifest.largeObjects.properties }
    yield { name: 'large objects', stream: manifest.largeObjects.contents }
  }
}

export async function readManifest(
  reader: RepositoryReader,
  { record }: Pick<Backup, 'record'>,
  options: ReadOptions = {},
): Promise<Manifest> {
  const text = (await readWhole(reader, record.manifest, options)).toString('utf8')
  const parsed = manifestSchema.safeParse(JSON.parse(text))
  if (parsed.success) return parsed.data
  // its bytes are what was written: whoever wrote it knew other members
  throw new AppError('repository-newer', 'the manifest of this backup was written by another version of pgrevive', {
    cause: parsed.error,
    hint: `use ${record.tool} or a later version`,
  })
}

/** A stream that is known to be small: a schema, a manifest. */
async function readWhole(reader: RepositoryReader, stream: StreamRef, options: ReadOptions = {}): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of reader.read(stream, options)) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}

/** What pg_dump printed; undefined in a backup of data only. */
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

/** The roles and tablespaces of the server at the time. */
export async function readGlobals(
  reader: RepositoryReader,
  manifest: Manifest,
  options: ReadOptions = {},
): Promise<ServerGlobals> {
  return serverGlobalsSchema.parse(JSON.parse((await readWhole(reader, manifest.globals, options)).toString('utf8')))
}

/** What the large objects are besides their bytes. */
async function readLargeObjects(
  reader: RepositoryReader,
  largeObjects: Manifest['largeObjects'],
  options: ReadOptions = {},
): Promise<LargeObject[]> {
  if (!largeObjects) return []
  const properties = await readWhole(reader, largeObjects.properties, options)
  return largeObjectsSchema.parse(JSON.parse(properties.toString('utf8')))
}

/** What a restore plan is made from. */
export async function readBackupTexts(
  reader: RepositoryReader,
  manifest: Manifest,
  options: ReadOptions = {},
): Promise<BackupTexts> {
  return {
    schema: await readSchemaText(reader, manifest, options),
    largeObjects: await readLargeObjects(reader, manifest.largeObjects, options),
  }
}
