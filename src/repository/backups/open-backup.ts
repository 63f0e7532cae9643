import { decodeTime } from 'ulid'
import { AppError, hasCode, inContext } from '../../core/app-error.ts'
import { type LargeObject, largeObjectsSchema } from '../../postgres/catalog/large-objects.ts'
import { type ServerGlobals, serverGlobalsSchema } from '../../postgres/catalog/server-globals.ts'
import { type BackupRecord, type Proof, backupRecordSchema, proofSchema } from './backup-record.ts'
import { type Manifest, manifestSchema } from './manifest.ts'
import { manifestStreams, streamNames } from './manifest-streams.ts'
import type { Repository } from '../repository.ts'
import type { RepositoryReader } from '../repository-reader.ts'
import type { CommittedRecord } from '../sessions/stored-record.ts'
import type { StreamRef } from '../chunks/stream-ref.ts'
import type { BackupTexts } from './restore-plan.ts'

interface ReadOptions {
  readonly signal?: AbortSignal | undefined
}

export interface Backup {
  readonly id: string
  /**
   * By the store's clock: when it was checked, or stored if that is earlier. A copy of the repository that lost the times of
   * its objects within an hour still tells the order.
   */
  readonly committedAt: Date
  /** See `CommittedRecord`. */
  readonly state: CommittedRecord['state']
  readonly record: BackupRecord
}

/**
 * When it was as the backup has it, in milliseconds, to put backups in order: the time of its id, by which a later run never
 * has an earlier one; of an imported one, the time of the dump.
 */
export function momentOf({ id, record }: Pick<Backup, 'id' | 'record'>): number {
  return record.imported ? Date.parse(record.snapshot.at) : decodeTime(id)
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
      const { id, checkedAt, state } = stored
      const committedAt = checkedAt < stored.committedAt ? checkedAt : stored.committedAt
      backups.push({ id, committedAt, state, record: parsed.data })
    } else damaged.push(stored.id)
  }
  return { backups: backups.toSorted((a, b) => momentOf(a) - momentOf(b)), damaged }
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
  yield { name: streamNames.manifest, stream: parsed.data.manifest }
  const manifest = await readManifest(reader, { record: parsed.data }, options)
  yield* manifestStreams(manifest)
}

export async function readManifest(
  reader: RepositoryReader,
  { record }: Pick<Backup, 'record'>,
  options: ReadOptions = {},
): Promise<Manifest> {
  const text = (await readWhole(reader, 'manifest', record.manifest, options)).toString('utf8')
  const parsed = manifestSchema.safeParse(JSON.parse(text))
  if (parsed.success) return parsed.data
  // its bytes are what was written: whoever wrote it knew other members
  throw new AppError('repository-newer', 'the manifest of this backup was written by another version of pgrevive', {
    cause: parsed.error,
    hint: `use ${record.tool} or a later version`,
  })
}

type OnLost = (name: keyof typeof streamNames, error: AppError) => void

/** A stream that is known to be small: a schema, a manifest. With `onLost`, one that is lost is empty. */
async function readWhole(
  reader: RepositoryReader,
  name: keyof typeof streamNames,
  stream: StreamRef,
  options: ReadOptions & { readonly onLost?: OnLost | undefined },
): Promise<Buffer> {
  try {
    const pieces: Buffer[] = []
    for await (const piece of reader.read(stream, options)) pieces.push(Buffer.from(piece))
    return Buffer.concat(pieces)
  } catch (error) {
    if (!options.onLost || !hasCode(error, 'object-damaged', 'object-missing'))
      throw inContext(streamNames[name], error)
    options.onLost(name, error)
    return Buffer.alloc(0)
  }
}

/** What pg_dump printed; undefined in a backup of data only. */
export async function readSchemaText(
  reader: RepositoryReader,
  { schema }: Manifest,
  options: ReadOptions & { readonly onLost?: OnLost | undefined } = {},
): Promise<{ preData: string; postData: string } | undefined> {
  if (!schema) return undefined
  const encoding = schema.encoding === 'SQL_ASCII' ? 'latin1' : 'utf8'
  const read = async (name: 'preData' | 'postData') =>
    (await readWhole(reader, name, schema[name], options)).toString(encoding)
  return { preData: await read('preData'), postData: await read('postData') }
}

/** The roles and tablespaces of the server at the time. */
export async function readGlobals(
  reader: RepositoryReader,
  manifest: Manifest,
  options: ReadOptions = {},
): Promise<ServerGlobals> {
  const text = (await readWhole(reader, 'globals', manifest.globals, options)).toString('utf8')
  return serverGlobalsSchema.parse(JSON.parse(text))
}

/** What the large objects are besides their bytes. */
async function readLargeObjects(
  reader: RepositoryReader,
  { largeObjects }: Manifest,
  options: ReadOptions & { readonly onLost?: OnLost | undefined },
): Promise<LargeObject[]> {
  if (!largeObjects) return []
  const properties = await readWhole(reader, 'largeObjects', largeObjects.properties, options)
  return properties.length === 0 ? [] : largeObjectsSchema.parse(JSON.parse(properties.toString('utf8')))
}

/** What a restore plan is made from. With `onLost`, what can not be read is told and left empty. */
export async function readBackupTexts(
  reader: RepositoryReader,
  manifest: Manifest,
  options: ReadOptions & { readonly onLost?: OnLost | undefined } = {},
): Promise<BackupTexts> {
  return {
    schema: await readSchemaText(reader, manifest, options),
    largeObjects: await readLargeObjects(reader, manifest, options),
  }
}
