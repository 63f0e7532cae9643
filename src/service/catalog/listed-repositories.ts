import { setImmediate as turn } from 'node:timers/promises'
import { z } from 'zod'
import { backupRecordSchema, proofSchema } from '../../repository/backups/backup-record.ts'
import { describeSelection, isWhole } from '../../repository/backups/manifest-selection.ts'
import type { Backup } from '../../shapes/database.ts'

const text = z.string()
const checked = z.object({ level: z.int(), at: text, isWhole: z.boolean() })
const errorShape = z.object({ code: text, message: text, hint: text.optional() })

/** What "pgrevive list --sizes --json" prints. */
const listDocument = z.object({
  backups: z.array(z.unknown()),
  repositories: z.array(
    z.object({
      repository: text,
      backups: z.int(),
      bytes: z.number(),
      unique: z.number(),
      packed: z.number(),
      stored: z.number(),
      checked: checked.nullable(),
    }),
  ),
  failed: z.array(z.object({ repository: text, error: errorShape })),
})
export type ListedRepository = z.output<typeof listDocument>['repositories'][number]

const listedBackup = backupRecordSchema.extend({
  id: z.ulid(),
  repositories: z.array(
    z.object({
      repository: text,
      committedAt: text,
      added: z.object({ bytes: z.number() }),
      proof: proofSchema.nullable(),
      pin: z.object({ reason: text, pinnedAt: text }).nullable(),
    }),
  ),
})
type ListedBackup = z.output<typeof listedBackup>

/** A backup as one repository holds it: as if it lay there only. */
export interface ListedCopy {
  readonly repository: string
  readonly backup: Backup
  readonly isWhole: boolean
}

export interface Listed {
  readonly copies: readonly ListedCopy[]
  readonly repositories: readonly ListedRepository[]
  readonly failed: z.output<typeof listDocument>['failed']
}

const atOnce = 200

/** Undefined for what is no such document: nothing could be listed. A long one is read piece by piece, and others get their turn. */
export async function readListed(document: unknown): Promise<Listed | undefined> {
  const { data } = listDocument.safeParse(document)
  if (!data) return undefined
  const copies: ListedCopy[] = []
  for (const [index, backup] of data.backups.entries()) {
    if (index % atOnce === atOnce - 1) await turn()
    copies.push(...copiesOf(listedBackup.parse(backup)))
  }
  return { copies, repositories: data.repositories, failed: data.failed }
}

function copiesOf({ repositories, ...listed }: ListedBackup): ListedCopy[] {
  return repositories.map((place) => ({
    repository: place.repository,
    isWhole: isWhole(listed.selection),
    backup: {
      id: listed.id,
      database: listed.database,
      startedAt: listed.startedAt,
      finishedAt: listed.finishedAt,
      snapshotAt: new Date(listed.snapshot.at).toISOString(),
      serverVersion: listed.serverVersion,
      comment: listed.comment ?? null,
      leftOut: describeSelection(listed.selection) ?? null,
      imported: listed.imported !== undefined,
      tables: listed.totals.tables,
      rows: listed.totals.rows,
      bytes: listed.totals.bytes,
      stored: place.added.bytes,
      places: [{ repository: place.repository, committedAt: place.committedAt, stored: place.added.bytes }],
      proof: place.proof && {
        outcome: place.proof.outcome,
        at: place.proof.finishedAt,
        tookMs: Date.parse(place.proof.finishedAt) - Date.parse(place.proof.startedAt),
        on: place.proof.on,
        differences: place.proof.differences,
        notes: place.proof.notes,
      },
      pin: place.pin && { at: place.pin.pinnedAt, reason: place.pin.reason },
    },
  }))
}

/** A backup with all of its places: the newest proof counts, and one pin is enough. */
export function mergeCopies(copies: readonly Backup[]): Backup {
  const [first, ...others] = copies.toSorted(
    (a, b) => timeOf(a.places[0]?.committedAt) - timeOf(b.places[0]?.committedAt),
  )
  if (!first) throw new Error('a backup lies nowhere')
  if (others.length === 0) return first
  const all = [first, ...others]
  const [proof = null] = all.flatMap((one) => one.proof ?? []).toSorted((a, b) => timeOf(b.at) - timeOf(a.at))
  const [pin = null] = all.flatMap((one) => one.pin ?? [])
  return { ...first, places: all.flatMap(({ places }) => places), proof, pin }
}

function timeOf(text: string | undefined): number {
  return text === undefined ? 0 : Date.parse(text)
}

const databasesDocument = z.object({
  databases: z.array(z.object({ name: text, server: text.nullable() })),
  failed: z.array(z.object({ server: text, error: errorShape })),
})
export type FoundDatabases = z.output<typeof databasesDocument>

/** What "pgrevive list --databases --json" prints; undefined for what is no such document. */
export function readFound(document: unknown): FoundDatabases | undefined {
  return databasesDocument.safeParse(document).data
}
