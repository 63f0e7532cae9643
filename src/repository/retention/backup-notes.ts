import { z } from 'zod'
import type { AbortOptions } from '../../store/object-store.ts'
import type { CheckedPart } from '../check/check-part.ts'
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
  /** How far a round has come that checks all data packs a part at a time: packs that it found damaged, and bytes. */
  z.strictObject({
    format: z.literal(1),
    kind: z.literal('checking'),
    level: z.int().min(2).max(3),
    startedAt: z.iso.datetime(),
    upTo: z.string(),
    damaged: z.array(z.string()),
    doneBytes: z.int(),
    totalBytes: z.int(),
  }),
])
export type Note = z.output<typeof noteSchema>

export interface Pin {
  readonly reason: string
  /** By the store's clock. */
  readonly pinnedAt: Date
}

export interface SavedCheck {
  readonly level: number
  readonly startedAt: Date
  readonly damaged: readonly string[]
}

/** A round that is not over. */
export interface SavedRound extends CheckedPart {
  readonly level: number
  /** By the store's clock. */
  readonly startedAt: Date
}

export interface BackupNotes {
  /** By the id of the backup. */
  readonly pins: ReadonlyMap<string, Pin>
  readonly acknowledged: readonly Acknowledgement[]
  /** Of each level the newest. */
  readonly checks: readonly SavedCheck[]
  /** Of each level the newest. */
  readonly rounds: readonly SavedRound[]
  /** Of each level and kind, the ids of the notes on checks and rounds: a new one takes their place. */
  readonly checkNotes: ReadonlyMap<string, readonly string[]>
  /** Keys of notes that are damaged or were written by a later version: nobody knows what they say. */
  readonly unreadable: readonly string[]
}

export async function listNotes(repository: Repository, options: AbortOptions = {}): Promise<BackupNotes> {
  const pins = new Map<string, Pin>()
  const acknowledged: Acknowledgement[] = []
  const checks = new Map<number, SavedCheck>()
  const rounds = new Map<number, SavedRound>()
  const checkNotes = new Map<string, string[]>()
  const unreadable: string[] = []
  for await (const stored of repository.notes(options)) {
    const note = stored.state === 'saved' ? noteSchema.safeParse(stored.body).data : undefined
    if (stored.state !== 'saved' || !note) unreadable.push(sealedKey('note', stored.id))
    else if (note.kind === 'pinned') pins.set(note.backup, { reason: note.reason, pinnedAt: stored.savedAt })
    else if (note.kind === 'unpinned') pins.delete(note.backup)
    else if (note.kind === 'acknowledged') acknowledged.push(note)
    else {
      const startedAt = new Date(note.startedAt)
      if (note.kind === 'checked') checks.set(note.level, { ...note, startedAt })
      else rounds.set(note.level, { ...note, startedAt })
      checkNotes.set(keyOf(note), [...(checkNotes.get(keyOf(note)) ?? []), stored.id])
    }
  }
  return { pins, acknowledged, checks: [...checks.values()], rounds: [...rounds.values()], checkNotes, unreadable }
}

type CheckNote = Extract<Note, { kind: 'checked' | 'checking' }>

function keyOf({ kind, level }: Pick<CheckNote, 'kind' | 'level'>): string {
  return `${kind} ${level}`
}

/** Notes the outcome of a check in the place of the one before, unless that is newer; nothing else depends on it. */
export async function saveCheck(
  repository: Repository,
  { level, startedAt, damaged }: SavedCheck,
  options: AbortOptions = {},
): Promise<void> {
  const { checks } = await listNotes(repository, options)
  if (checks.some((check) => check.level === level && check.startedAt > startedAt)) return
  const at = startedAt.toISOString()
  await replaceNotes(repository, { format: 1, kind: 'checked', level, startedAt: at, damaged: [...damaged] }, options)
}

/** Notes how far a round has come, or, once it has come to its end, that it is over. */
export async function saveRound(
  repository: Repository,
  { level, startedAt, upTo, damaged, doneBytes, totalBytes }: SavedRound,
  options: AbortOptions = {},
): Promise<void> {
  const about = { kind: 'checking', level } as const
  if (upTo === undefined) return removeNotes(repository, about, options)
  const facts = { startedAt: startedAt.toISOString(), upTo, damaged: [...damaged], doneBytes, totalBytes }
  await replaceNotes(repository, { format: 1, ...about, ...facts }, options)
}

async function replaceNotes(repository: Repository, note: CheckNote, options: AbortOptions): Promise<void> {
  const before = (await listNotes(repository, options)).checkNotes.get(keyOf(note)) ?? []
  await repository.saveNote(note, options)
  for (const id of before) await repository.store.delete(sealedKey('note', id), options)
}

async function removeNotes(
  repository: Repository,
  about: Pick<CheckNote, 'kind' | 'level'>,
  options: AbortOptions,
): Promise<void> {
  const ids = (await listNotes(repository, options)).checkNotes.get(keyOf(about)) ?? []
  for (const id of ids) await repository.store.delete(sealedKey('note', id), options)
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
