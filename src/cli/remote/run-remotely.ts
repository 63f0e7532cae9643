import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { AppError, errorCodes } from '../../core/app-error.ts'
import type { OnProgress } from '../../core/progress.ts'
import { formatAge, formatBytes, formatCount, formatTable } from '../../core/text/format.ts'
import { printable, printableLines } from '../../core/text/printable.ts'
import type { Environment } from '../../postgres/target/connection-target.ts'
import { type LogLine, type RunDetail, type RunRequest, logLine, run, runDetail } from '../../shapes/run.ts'
import type { Command, Outcome } from '../define-command.ts'
import type { Terminal } from '../terminal/terminal.ts'
import { backupsOf, findBackup } from './remote-backups.ts'
import { remoteRequest } from './remote-request.ts'
import { ServiceClient, errorOf } from './service-client.ts'

export interface RemoteContext {
  readonly server: string
  readonly environment: Environment
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly onProgress: OnProgress
}

const lookAgainMs = 1000

/** What a command does where the service of --server is: with the words, the document and the exit code that it has here. */
export async function runRemotely(
  { command, raw }: { command: Command; raw: Readonly<Record<string, unknown>> },
  context: RemoteContext,
): Promise<Outcome> {
  const connect = () => ServiceClient.create(context.server, context.environment, context.signal)
  const request = await remoteRequest(command.name, raw, async (reference) => findBackup(reference, await connect()))
  const client = await connect()
  return request === 'list' ? listRemotely(raw, client, context) : runOnService(request, client, context)
}

async function runOnService(
  request: RunRequest,
  client: ServiceClient,
  { terminal, onProgress, signal }: RemoteContext,
): Promise<Outcome> {
  const over = new AbortController()
  let id: string | undefined
  const watching = (async () => {
    for await (const event of client.events(over.signal)) {
      if (event.kind === 'progress' && event.run === id) onProgress(progressOf(event.progress))
    }
  })()
  watching.catch(() => undefined) // without it the end is found all the same
  try {
    const begun = await client.ask(run, 'POST', '/api/runs', request)
    id = begun.id
    const ended = await untilEnded(begun.id, client, signal)
    const lines = await client.ask(z.array(logLine), 'GET', `/api/runs/${begun.id}/log`)
    for (const { level, text } of lines) if (level === 'warning' && !terminal.json) terminal.warn(printable(text))
    return outcomeOf(ended, ended.state === 'done' ? toldAtTheEnd(lines) : '')
  } finally {
    over.abort()
  }
}

async function untilEnded(id: string, client: ServiceClient, signal: AbortSignal): Promise<RunDetail> {
  for (;;) {
    const now = await client.ask(runDetail, 'GET', `/api/runs/${id}`)
    if (now.endedAt !== null) return now
    await delay(lookAgainMs, undefined, { signal }).catch(() => {
      throw new AppError('interrupted', `run ${id} goes on at the service`, {
        hint: 'it is stopped in the dashboard, or with POST /api/runs/ID/cancel',
      })
    })
  }
}

/** What the command printed: the last thing that its log has before the exit code. */
function toldAtTheEnd(lines: readonly LogLine[]): string {
  const said = lines.filter(({ level, text }) => level === 'info' && !/^exit code \d+$/.test(text))
  const text = said.at(-1)?.text ?? ''
  return text === '' ? '' : `${printableLines(text.trimEnd())}\n`
}

function outcomeOf(ended: RunDetail, text: string): Outcome {
  const { data = {} } = z.record(z.string(), z.unknown()).safeParse(ended.result)
  const { error: _, ...document } = data
  const failure = ended.error
    ? errorOf(ended.error)
    : ended.state === 'done'
      ? undefined
      : new AppError('interrupted', `the run was ${ended.state}`)
  if (failure) return { document, text, failure }
  const isOurs = ended.exitCode !== null && !Object.values(errorCodes).some(({ exit }) => exit === ended.exitCode)
  return isOurs ? { document, text, exitCode: ended.exitCode ?? 0 } : { document, text }
}

function progressOf({ phase, done, total, unit, detail }: NonNullable<RunDetail['progress']>) {
  return {
    phase,
    unit,
    ...(done === undefined ? {} : { done }),
    ...(total === undefined ? {} : { total }),
    ...(detail === undefined ? {} : { detail }),
  }
}

async function listRemotely(
  raw: Readonly<Record<string, unknown>>,
  client: ServiceClient,
  { terminal }: RemoteContext,
): Promise<Outcome> {
  const { database, limit } = z
    .object({ database: z.string().optional(), limit: z.coerce.number().optional() })
    .parse(raw)
  const backups = (await backupsOf(database, client)).slice(0, limit)
  const now = new Date()
  const rows = backups.map((one) => [
    one.id,
    formatAge(new Date(one.finishedAt), now),
    one.database,
    formatCount(one.tables),
    formatCount(one.rows),
    formatBytes(one.bytes),
    formatBytes(one.stored),
    one.proof?.outcome ?? 'unproven',
    one.places.map(({ repository }) => repository).join(', '),
    one.pin?.reason ?? '',
  ])
  const titles = ['backup', 'taken', 'database', 'tables', 'rows', 'size', 'stored', 'proof', 'in', 'pinned']
  const table = formatTable(
    titles.map((title) => ({ title })),
    rows,
    { heading: terminal.colors.faint, width: terminal.outputWidth },
  )
  return { document: { backups }, text: backups.length === 0 ? 'no backups yet\n' : table }
}
