import { z } from 'zod'
import type { AbortOptions } from '../../store/object-store.ts'
import { selectionSchema } from '../backups/manifest.ts'
import { sealedKey } from '../objects/object-keys.ts'
import type { Repository } from '../repository.ts'
import type { Acknowledgement } from './shrinkage.ts'

const about = { format: z.literal(1), backup: z.ulid() }

/** What somebody has said about backups; of several on one matter the newest counts. */
export const noteSchema = z.discriminatedUnion('kind', [
  /** No policy forgets it, nor does anybody by name. */
  z.strictObject({ ...about, kind: z.literal('pinned'), reason: z.string() }),
  z.strictObject({ ...about, kind: z.literal('unpinned') }),
  /** It holds less than the one before it, and that is right. */
  z.strictObject({ ...about, kind: z.literal('acknowledged'), database: z.string(), selection: selectionSchema }),
  /** All backups that were there at `startedAt`, by the store's clock, were checked; `damaged` ones were not whole. */
  z.strictObject({
    format: z.literal(1),
    kind: z.literal('checked'),
    level: z.int().min(0).max(3),
    startedAt: z.iso.datetime(),
    damaged: z.array(z.ulid()),
  }),
])
export type Note = z.output<typeof noteSchema>

export interface Pin {
  readonly reason: string
  /** By the store's clock. */
  readonly pinnedAt: Date
}

export interface SavedCheck {
  readonly noteId: string
  readonly level: number
  readonly startedAt: Date
  readonly damaged: readonly string[]
}

export interface BackupNotes {
  /** By the id of the backup. */
  readonly pins: ReadonlyMap<string, Pin>
  readonly acknowledged: readonly Acknowledgement[]
  /** Of each level the newest. */
  readonly checks: readonly SavedCheck[]
  /** Keys of notes that are damaged or were written by a later version: nobody knows what they say. */
  readonly unreadable: readonly string[]
}

export async function listNotes(repository: Repository, options: AbortOptions = {}): Promise<BackupNotes> {
  const pins = new Map<string, Pin>()
  const acknowledged: Acknowledgement[] = []
  const checks = new Map<number, SavedCheck>()
  const unreadable: string[] = []
  for await (const stored of repository.notes(options)) {
    const note = stored.state === 'saved' ? noteSchema.safeParse(stored.body).data : undefined
    if (stored.state !== 'saved' || !note) unreadable.push(sealedKey('note', stored.id))
    else if (note.kind === 'pinned') pins.set(note.backup, { reason: note.reason, pinnedAt: stored.savedAt })
    else if (note.kind === 'unpinned') pins.delete(note.backup)
    else if (note.kind === 'checked')
      checks.set(note.level, { ...note, noteId: stored.id, startedAt: new Date(note.startedAt) })
    else acknowledged.push(note)
  }
  return { pins, acknowledged, checks: [...checks.values()], unreadable }
}

/** Notes the outcome of a check in the place of the one before; nothing else depends on it. */
export async function saveCheck(
  repository: Repository,
  { level, startedAt, damaged }: Omit<SavedCheck, 'noteId'>,
  options: AbortOptions = {},
): Promise<void> {
  const before = (await listNotes(repository, options)).checks.filter((check) => check.level === level)
  const note: Note = { format: 1, kind: 'checked', level, startedAt: startedAt.toISOString(), damaged: [...damaged] }
  await repository.saveNote(note, options)
  for (const { noteId } of before) await repository.store.delete(sealedKey('note', noteId), options)
}

/** The newest check that saw a backup, and whether that was whole. */
export function lastCheckOf(
  { id, committedAt }: { readonly id: string; readonly committedAt: Date },
  checks: readonly SavedCheck[],
): { readonly check: SavedCheck; readonly isWhole: boolean } | undefined {
  const [check] = checks
    .filter(({ startedAt }) => committedAt <= startedAt)
    .toSorted((a, b) => +b.startedAt - +a.startedAt)
  return check && { check, isWhole: !check.damaged.includes(id) }
}
