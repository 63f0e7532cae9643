import { z } from 'zod'
import type { AbortOptions } from '../../store/object-store.ts'
import { selectionSchema } from '../backups/manifest.ts'
import { sealedKey } from '../objects/object-keys.ts'
import type { Repository } from '../repository.ts'
import type { Acknowledgement } from './shrinkage.ts'

const about = { format: z.literal(1), backup: z.ulid() }

/** What somebody has said about a backup; of several on one matter the newest counts. */
export const noteSchema = z.discriminatedUnion('kind', [
  /** No policy forgets it, nor does anybody by name. */
  z.strictObject({ ...about, kind: z.literal('pinned'), reason: z.string() }),
  z.strictObject({ ...about, kind: z.literal('unpinned') }),
  /** It holds less than the one before it, and that is right. */
  z.strictObject({ ...about, kind: z.literal('acknowledged'), database: z.string(), selection: selectionSchema }),
])
export type Note = z.output<typeof noteSchema>

export interface Pin {
  readonly reason: string
  /** By the store's clock. */
  readonly pinnedAt: Date
}

export interface BackupNotes {
  /** By the id of the backup. */
  readonly pins: ReadonlyMap<string, Pin>
  readonly acknowledged: readonly Acknowledgement[]
  /** Keys of notes that are damaged or were written by a later version: nobody knows what they say. */
  readonly unreadable: readonly string[]
}

export async function listNotes(repository: Repository, options: AbortOptions = {}): Promise<BackupNotes> {
  const pins = new Map<string, Pin>()
  const acknowledged: Acknowledgement[] = []
  const unreadable: string[] = []
  for await (const stored of repository.notes(options)) {
    const note = stored.state === 'saved' ? noteSchema.safeParse(stored.body).data : undefined
    if (stored.state !== 'saved' || !note) unreadable.push(sealedKey('note', stored.id))
    else if (note.kind === 'pinned') pins.set(note.backup, { reason: note.reason, pinnedAt: stored.savedAt })
    else if (note.kind === 'unpinned') pins.delete(note.backup)
    else acknowledged.push(note)
  }
  return { pins, acknowledged, unreadable }
}
