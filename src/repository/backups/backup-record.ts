import { z } from 'zod'
import { selectionSchema } from './manifest.ts'
import { streamRefSchema } from '../chunks/stream-ref.ts'

/** The part of a backup that `list` shows; the commit. Everything else is in the manifest. */
export const backupRecordSchema = z.strictObject({
  format: z.literal(1),
  kind: z.literal('logical'),
  tool: z.string(),
  /** The name under which the database is configured, else its own. */
  database: z.string(),
  /** user@host:port/database, without secrets. */
  source: z.string(),
  comment: z.string().optional(),
  /** Of an import both are the time of the dump. */
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  serverVersion: z.string(),
  snapshot: z.strictObject({ at: z.iso.datetime(), lsn: z.string() }),
  selection: selectionSchema,
  totals: z.strictObject({
    tables: z.int(),
    rows: z.int(),
    bytes: z.int(),
    sequences: z.int(),
    largeObjects: z.int(),
  }),
  /** What this backup added to the repository. */
  added: z.strictObject({ bytes: z.int(), chunks: z.int(), ofChunks: z.int() }),
  manifest: streamRefSchema,
  /** Of a backup that was first stored elsewhere and copied: by whichever clock its first store had. */
  copied: z.strictObject({ from: z.uuid(), committedAt: z.iso.datetime() }).optional(),
  /** Of a backup that was made from somebody's dump, whose path is `source`. */
  imported: z
    .strictObject({
      at: z.iso.datetime(),
      bytes: z.int(),
      /** Of the file as it lay there; of a directory, of what `sha256sum *` prints in it. */
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      format: z.enum(['plain', 'custom', 'directory', 'tar']),
      /** What was around it, from the outside in. */
      wrappings: z.array(z.enum(['openssl', 'gzip', 'zstd'])),
      /** Who says when it was dumped. */
      timeFrom: z.enum(['name', 'archive', 'file']),
      /** As the dump has them, which may be empty. */
      serverVersion: z.string(),
      dumpVersion: z.string(),
      /** What of it is not in the backup as it was, in words. */
      notes: z.array(z.string()),
    })
    .optional(),
})
export type BackupRecord = z.output<typeof backupRecordSchema>

const ofBackup = z.object({ backup: z.ulid() })

/** The id of the backup that a stored proof is of, whatever else it says; undefined if it names none. */
export function backupOfProof(body: unknown): string | undefined {
  return ofBackup.safeParse(body).data?.backup
}

/** The outcome of restoring a backup and comparing it; stored beside the records. */
export const proofSchema = z.strictObject({
  format: z.literal(1),
  backup: z.string(),
  tool: z.string(),
  outcome: z.enum(['proven', 'refuted']),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  /** Where it was restored: server version and kind of server. */
  on: z.string(),
  compared: z.strictObject({
    tables: z.int(),
    rows: z.int(),
    bytes: z.int(),
    sequences: z.int(),
    largeObjects: z.int(),
    extensions: z.int(),
    schema: z.boolean(),
    assertions: z.int(),
  }),
  /** Empty in a proven one. Each names what differs and how. */
  differences: z.array(z.strictObject({ object: z.string(), problem: z.string() })),
  /** What could not be compared, and why it is no difference. */
  notes: z.array(z.string()),
})
export type Proof = z.output<typeof proofSchema>
