import { z } from 'zod'
import { AppError, hasCode } from '../../core/app-error.ts'
import { formatAge, formatBytes, formatQuantity } from '../../core/text/format.ts'
import { printable } from '../../core/text/printable.ts'
import { text } from '../../config/value-types.ts'
import { describeTarget, withDatabase } from '../../postgres/target/connection-target.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import { type SetAside, keptOnes, listSetAside, workingOnes } from '../../restore/in-place/set-aside.ts'
import { parseSshUrl } from '../../ssh/ssh-place.ts'
import type { CommandContext } from '../command-context.ts'
import { findDatabase } from '../databases/database-target.ts'
import { reachDatabase } from '../databases/reach-database.ts'
import { type Outcome, defineCommand } from '../define-command.ts'

const showDatabaseOptions = z.strictObject({ database: text, tunnel: text.optional() })
export type ShowDatabaseOptions = z.output<typeof showDatabaseOptions>

const factsSql = `
  SELECT pg_catalog.pg_database_size(pg_catalog.current_database()), count(*)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema' AND n.nspname OPERATOR(pg_catalog.!~) '^pg_'`

async function showDatabase({ database, tunnel }: ShowDatabaseOptions, context: CommandContext): Promise<Outcome> {
  const { environment, signal } = context
  const { config } = await context.settings()
  const found = await findDatabase(database, { config, environment })
  const through = tunnel === undefined ? found.tunnel : parseSshUrl(tunnel).place
  const target = await reachDatabase({ ...found, tunnel: through }, context)
  const facts = await readFacts(target, context)
  await using connection = await connectAside(target, { signal })
  const left = connection ? await listSetAside(connection, target.database, { signal }) : []
  const kept = keptOnes(left).toReversed()
  const [working] = workingOnes(left)
  const document = {
    name: found.name ?? null,
    target: describeTarget(target),
    database: target.database,
    there: facts !== undefined,
    serverVersion: facts?.serverVersion ?? null,
    bytes: facts?.bytes ?? null,
    tables: facts?.tables ?? null,
    unfinished: working ? { backup: working.record.backup, since: sinceOf(working.record.run) } : null,
    kept: kept.map(({ name, bytes, record }) => ({ name, since: record.at, bytes, kind: record.state })),
  }
  return { document, text: describe(document, kept, context) }
}

/** Undefined where the server is there and the database is not, as after a restore that was aborted. */
async function readFacts(target: Parameters<typeof describeTarget>[0], { signal }: CommandContext) {
  try {
    await using connection = await Connection.connect(target, { signal })
    const [[bytes = '0', tables = '0'] = []] = await connection.query(factsSql, { signal })
    const version = connection.serverVersionNumber
    return {
      serverVersion: `${Math.floor(version / 10_000)}.${version % 10_000}`,
      bytes: Number(bytes),
      tables: Number(tables),
    }
  } catch (error) {
    if (hasCode(error, 'database-missing')) return undefined
    throw error
  }
}

/** To any database of the server; a role that may connect to none but its own sees nothing of the others. */
async function connectAside(
  target: Parameters<typeof describeTarget>[0],
  options: { readonly signal: AbortSignal },
): Promise<Connection | undefined> {
  for (const name of ['postgres', target.database]) {
    try {
      return await Connection.connect(withDatabase(target, name), options)
    } catch (error) {
      if (!(error instanceof AppError) || options.signal.aborted) throw error
    }
  }
  return undefined
}

/** `20261122_210405` as a time. */
function sinceOf(run: string): string | null {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)$/.exec(run) ?? []
  return second === undefined ? null : `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`
}

interface Shown {
  readonly target: string
  readonly serverVersion: string | null
  readonly bytes: number | null
  readonly tables: number | null
  readonly unfinished: { readonly backup: string } | null
}

function describe(shown: Shown, kept: readonly SetAside[], { terminal }: CommandContext): string {
  const { strong, warning } = terminal.colors
  const size =
    shown.bytes === null || shown.tables === null
      ? 'the database is not there'
      : `PostgreSQL ${shown.serverVersion}, ${formatQuantity(shown.tables, 'table')}, ${formatBytes(shown.bytes)}`
  const unfinished = shown.unfinished
    ? `${warning('unfinished')}: a restore in place of backup ${shown.unfinished.backup}; "pgrevive restore --resume" or "--abort"\n`
    : ''
  const lines = kept.map(({ name, bytes, record }) => {
    const age = 'at' in record ? formatAge(new Date(record.at), new Date()) : ''
    return `kept: ${printable(name)}, ${formatBytes(bytes)}, since ${age}\n`
  })
  return `${strong(printable(shown.target))}: ${size}\n${unfinished}${lines.join('')}`
}

export const showDatabaseCommand = defineCommand({
  name: 'show database',
  summary: 'show whether a database is reached, and what restores have left there',
  description:
    'Connects to a database and tells the version of its server, its size and how many tables it has, and what restores in place of it have left there: one that did not end, and old databases that are kept until "restore --finish".',
  arguments: [
    {
      key: 'database',
      name: 'DATABASE',
      presence: 'required',
      help: 'a name of pgrevive.yaml, or a connection string',
    },
  ],
  options: [{ flags: '--tunnel <URL>', help: 'ssh://user@bastion:port, from where it is reached' }],
  examples: [
    { command: 'pgrevive show database shop', meaning: 'one of pgrevive.yaml' },
    { command: 'pgrevive show database postgres://backup@db/shop --json', meaning: 'before it is added there' },
  ],
  schema: showDatabaseOptions,
  readsOnly: true,
  run: showDatabase,
})
