import { z } from 'zod'
import { shellWord } from '../../core/text/shell-word.ts'
import type { Run, RunState } from '../../shapes/run.ts'
import type { RunRow } from './run-row.ts'
import { isRepeatable } from './wanted-run.ts'

/** How the process of a run ended. */
export interface ProcessEnd {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  /** Undefined when it was too much to keep. */
  readonly stdout: string | undefined
  /** Why there was none at all. */
  readonly failure?: Error
}

/** What a run came to. */
export interface RunOutcome {
  readonly state: Extract<RunState, 'done' | 'failed' | 'canceled' | 'interrupted'>
  readonly exitCode: number | null
  readonly error: Run['error']
  readonly document: unknown
  readonly backups: readonly string[]
  /** Of these backups. */
  readonly databases: readonly string[]
}

/** Of a process that there never was. */
export function neverBegan(thrown: unknown): ProcessEnd {
  const failure = thrown instanceof Error ? thrown : new Error(String(thrown))
  return { exitCode: null, signal: null, stdout: undefined, failure }
}

const stoppedExitCode = 130
/** JSON of at most so many characters is kept. */
const longestResult = 1_000_000

/** `stoppedBy`: what the service did to end it. */
export function outcomeOf(end: ProcessEnd, stoppedBy: 'cancel' | 'stop' | undefined): RunOutcome {
  const document = parseDocument(end.stdout)
  const error = withError.safeParse(document).data?.error ?? (document === undefined ? unsaid(end) : null)
  const wasStopped = end.signal !== null || end.exitCode === stoppedExitCode
  const state = !wasStopped
    ? error
      ? 'failed'
      : 'done'
    : stoppedBy === undefined
      ? 'failed'
      : stoppedStates[stoppedBy]
  return {
    ...subjectsOf(document),
    state,
    exitCode: end.exitCode,
    error: state === 'canceled' ? null : error,
    document,
  }
}

const stoppedStates = { cancel: 'canceled', stop: 'interrupted' } as const

/** Of a run whose service was killed under it. */
export function leftBy(row: Pick<RunRow, 'command' | 'databases' | 'canceled_by'>): RunOutcome {
  const state = row.canceled_by === null ? 'interrupted' : 'canceled'
  const error = state === 'canceled' ? null : interruption(row)
  return { state, exitCode: null, error, document: undefined, backups: [], databases: [] }
}

function interruption({ command, databases }: Pick<RunRow, 'command' | 'databases'>): Run['error'] {
  const message = 'the service, or the machine, ended while this ran'
  const [name = 'NAME'] = databases
  const hint = isRepeatable(command)
    ? 'nothing counts that was not finished; it is begun again by itself, twice at most'
    : `it is not begun again by itself: look at the database first. A restore in place goes on with "pgrevive restore --resume --to ${shellWord(name)}", or is given up with "--abort"`
  return { code: 'interrupted', message, hint }
}

function parseDocument(stdout: string | undefined): unknown {
  if (stdout === undefined) return undefined
  try {
    return JSON.parse(stdout)
  } catch {
    return undefined
  }
}

/** Of a process that printed no document. */
function unsaid({ exitCode, signal, stdout, failure }: ProcessEnd): Run['error'] {
  if (exitCode === 0 && stdout === undefined) return null
  const how = failure?.message ?? (signal === null ? `with exit code ${exitCode}` : `by ${signal}`)
  return {
    code: 'run-died',
    message: `the process of this run ended ${failure ? `before it began: ${how}` : how}, and did not say why`,
    hint: 'its log may tell; SIGKILL is often the kernel, out of memory: look at "dmesg"',
  }
}

const text = z.string()
const withError = z.object({ error: z.object({ code: text, message: text, hint: text.optional() }) })
const subjects = z.object({
  backup: text.optional().catch(undefined),
  backups: z
    .array(z.object({ id: text, database: text }))
    .optional()
    .catch(undefined),
  proofs: z
    .array(z.object({ database: text, proof: z.object({ backup: text }) }))
    .optional()
    .catch(undefined),
  repositories: z.array(z.unknown()).optional().catch(undefined),
})

/** The backups that a document of backup, prove or restore is about, and their databases. */
function subjectsOf(document: unknown): { backups: string[]; databases: string[] } {
  const { backup, backups = [], proofs = [], repositories = [] } = subjects.safeParse(document).data ?? {}
  const inner = repositories.map(subjectsOf)
  const ids = [backup ?? [], backups.map(({ id }) => id), proofs.map(({ proof }) => proof.backup)].flat()
  const names = [...backups, ...proofs].map(({ database }) => database)
  return {
    backups: [...new Set([...ids, ...inner.flatMap((one) => one.backups)])],
    databases: [...new Set([...names, ...inner.flatMap((one) => one.databases)])],
  }
}

/** A document as it is kept: lists and texts are cut until it is short enough. */
export function resultText(document: unknown): string | null {
  if (document === undefined) return null
  for (const longest of [Infinity, 1000, 100, 10, 1]) {
    const text = JSON.stringify(cut(document, longest))
    if (text.length <= longestResult) return text
  }
  return null
}

function cut(value: unknown, longest: number): unknown {
  if (longest === Infinity) return value
  if (typeof value === 'string') return value.slice(0, longest * 100)
  if (Array.isArray(value)) return value.slice(0, longest).map((item) => cut(item, longest))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, longest * 10)
      .map(([key, item]) => [key, cut(item, longest)]),
  )
}
