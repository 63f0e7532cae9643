import { inContext, AppError, messageOf } from '../../core/app-error.ts'
import { type BackedUp, backUpDatabase } from '../../backup/back-up-database.ts'
import { redactPasswords } from '../../core/text/redact-passwords.ts'
import { listDatabases } from '../../postgres/catalog/database.ts'
import { type ConnectionTarget, withDatabase } from '../../postgres/target/connection-target.ts'
import type { Repository } from '../../repository/repository.ts'
import type { Selection } from '../../repository/backups/manifest.ts'
import { connectForMaintenance } from '../../restore/maintenance-connection.ts'
import { type DatabaseTarget, findDatabases } from '../databases/database-target.ts'
import type { Hooked } from '../../hooks/open-hooks.ts'
import { hooksOf } from '../hooks/command-hooks.ts'
import { databasesOn } from '../databases/server-databases.ts'
import { reachDatabase } from '../databases/reach-database.ts'
import { describeSelection } from '../../repository/backups/manifest-selection.ts'
import { errorDocument } from '../terminal/error-text.ts'
import { formatBytes, formatDuration, formatQuantity } from '../../core/text/format.ts'
import { printable, printableLines } from '../../core/text/printable.ts'
import {
  type FailedRepository,
  type NamedRepository,
  expected,
  openRepositories,
} from '../repositories/repository-access.ts'
import { failureOf } from '../repositories/each-repository.ts'
import { shellWord } from '../../core/text/shell-word.ts'
import { z } from 'zod'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { flag, flagOn, jobs, notBothOnly, notBothOnlyMessage, texts } from '../option-types.ts'
import { pgDumpChoice, text } from '../../config/value-types.ts'

const backupOptions = z
  .strictObject({
    /** Each a conninfo or the name of a configured database. */
    databases: texts,
    all: flag,
    jobs: jobs.optional(),
    schema: texts,
    table: texts,
    excludeSchema: texts,
    excludeTable: texts,
    excludeTableData: texts,
    schemaOnly: flag,
    dataOnly: flag,
    pgDump: pgDumpChoice.optional(),
    comment: text.optional(),
    hooks: flagOn,
  })
  .refine(notBothOnly, notBothOnlyMessage)
  .refine(
    (options) => !options.all || options.databases.length <= 1,
    '--all takes one DATABASE, which names the server',
  )
export type BackupOptions = z.output<typeof backupOptions>

interface Source {
  readonly name: string
  readonly target: ConnectionTarget
  readonly database: DatabaseTarget
}

async function backup(options: BackupOptions, context: CommandContext): Promise<Outcome> {
  const places = await openRepositories(context)
  const failures: { database: string; error: unknown }[] = []
  const sources = await findSources(options, failures, context)
  const lacking = new Map(places.failed.map((failed) => [failed.name, failed]))
  for (const { name, error } of places.failed) warnOf(name, error, context)
  const done: BackedUp[] = []
  let hookFailure: AppError | undefined
  for (const source of sources) {
    try {
      const { result: backedUp, failure } = await backUpWithHooks(source, places.opened, options, context)
      done.push(backedUp)
      hookFailure ??= failure
      if (failure && sources.length > 1)
        context.terminal.warn(printableLines(redactPasswords(`${source.name}: ${failure.message}`), 2))
      for (const { repository, error: thrown } of backedUp.failed) {
        const failed = { name: nameOf(repository, places.opened), error: expected(thrown, context) }
        if (!lacking.has(failed.name)) lacking.set(failed.name, failed)
        warnOf(failed.name, failed.error, context)
      }
    } catch (error) {
      context.signal.throwIfAborted()
      if (sources.length === 1) throw error
      failures.push({ database: source.name, error })
      const message = redactPasswords(messageOf(error))
      context.terminal.warn(printable(`${source.name} was not backed up: ${message}`))
    }
  }
  const isOne = places.opened.length + places.failed.length === 1
  const document = {
    backups: done.map((backedUp) => ({
      id: backedUp.id,
      ...backedUp.record,
      warnings: backedUp.warnings,
      ...(isOne ? {} : { repositories: placesOf(backedUp, places) }),
    })),
    failed: failures.map(({ database, error }) => ({ database, error: errorDocument(error) })),
  }
  const text = done.map((backedUp) => describe(backedUp, isOne ? [] : places.opened, context)).join('')
  const last = done.at(-1)
  const next =
    last === undefined || context.terminal.quiet
      ? ''
      : `next: pgrevive prove ${sources.length === 1 ? last.id : ''}`.trimEnd() + '\n'
  const [first] = failures
  if (first) {
    const all = done.length + failures.length
    const failure = inContext(
      `${failures.length} of ${all} databases were not backed up; ${first.database}`,
      first.error,
    )
    if (!(failure instanceof AppError)) throw failure
    return { document, text, failure }
  }
  if (hookFailure) return { document, text: text + next, failure: hookFailure }
  if (lacking.size === 0) return { document, text: text + next }
  return { document, text: text + next, failure: notEverywhere([...lacking.values()], places) }
}

type Places = Awaited<ReturnType<typeof openRepositories>>

function warnOf(name: string, error: AppError, { terminal }: CommandContext): void {
  terminal.warn(printable(`nothing is stored in ${name}: ${error.message}`))
}

function nameOf(repository: Repository, opened: readonly NamedRepository[]): string {
  const named = opened.find((one) => one.repository === repository)
  if (!named) throw new Error('a repository was not opened here')
  return named.name
}

function placesOf({ stored, failed }: BackedUp, places: Places) {
  return [
    ...[...stored].map(([repository, { added }]) => ({ repository: nameOf(repository, places.opened), added })),
    ...failed.map(({ repository, error }) => ({
      repository: nameOf(repository, places.opened),
      error: errorDocument(error),
    })),
    ...places.failed.map(({ name, error }) => ({ repository: name, error: errorDocument(error) })),
  ]
}

function notEverywhere(lacking: readonly FailedRepository[], { opened, failed }: Places): AppError {
  const failure = failureOf(lacking, opened.length + failed.length)
  const [whole] = opened.filter(({ name }) => !lacking.some((one) => one.name === name))
  const sync = lacking.map(
    ({ name }) => `"pgrevive sync --from ${shellWord(whole?.name ?? 'PLACE')} --to ${shellWord(name)}"`,
  )
  const healing = whole
    ? `what is missing there is in ${whole.name}; once it works again: ${sync.join(', ')}`
    : 'look at the warnings; no repository holds all of this run'
  return new AppError(failure.code, failure.message, {
    cause: failure.cause,
    hint: failure.hint === undefined ? healing : `${failure.hint}; ${healing}`,
  })
}

/** What can not be looked for is pushed to `failures`. */
async function findSources(
  options: BackupOptions,
  failures: { database: string; error: unknown }[],
  context: CommandContext,
): Promise<Source[]> {
  const { config } = await context.settings()
  const named = options.databases.length > 0 ? options.databases : await findAll(failures, context)
  if (named.length === 0 && failures.length > 0) throw failures[0]?.error
  const databases = await findDatabases(named, { config, environment: context.environment })
  const sources = await Promise.all(
    databases.map(async (database): Promise<Source> => {
      const target = await reachDatabase(database, context)
      return { name: database.name ?? target.database, target, database }
    }),
  )
  if (!options.all) return sources
  const all = await Promise.all(
    sources.map(async ({ target, database }) => {
      await using connection = await connectForMaintenance(target, context)
      const found = await listDatabases(connection, context)
      for (const { name } of found.filter(({ host }) => host)) {
        context.terminal.warn(printable(`${name} was left out: it belongs to who hosts the server`))
      }
      const ours = found.filter(({ host }) => !host)
      return ours.map(({ name }) => ({ name, target: withDatabase(target, name), database }))
    }),
  )
  return all.flat()
}

/** All of pgrevive.yaml, and all that its servers have. */
async function findAll(
  failures: { database: string; error: unknown }[],
  context: CommandContext,
): Promise<readonly string[]> {
  const { config } = await context.settings()
  const names = [...(config?.databases.keys() ?? [])]
  for (const server of config?.servers.values() ?? []) {
    try {
      names.push(...(await databasesOn(server, context)))
    } catch (thrown) {
      const error = expected(thrown, context)
      failures.push({ database: `server ${server.name}`, error })
      context.terminal.warn(printable(`the databases of server ${server.name} are not known: ${error.message}`))
    }
  }
  return names
}

async function backUpWithHooks(
  source: Source,
  opened: readonly NamedRepository[],
  options: BackupOptions,
  context: CommandContext,
): Promise<Hooked<BackedUp>> {
  const hooks = await hooksOf(source.name, options, context)
  return hooks.around(
    'backup',
    { database: source.name },
    () => backUpSource(source, opened, options, context),
    ({ id, failed }) => ({ backup: id, outcome: failed.length === 0 ? 'done' : 'incomplete' }),
  )
}

async function backUpSource(
  { name, target, database }: Source,
  opened: readonly NamedRepository[],
  options: BackupOptions,
  context: CommandContext,
): Promise<BackedUp> {
  const settings = await context.settings()
  const repositories = opened.map(({ repository }) => repository)
  return backUpDatabase(target, repositories, {
    database: name,
    selection: selectionOf(options, database),
    jobs: options.jobs ?? settings.jobs,
    pgDump: options.pgDump ?? settings.pgDump,
    environment: database.environment,
    comment: options.comment,
    onProgress: context.onProgress,
    signal: context.signal,
  })
}

/** Patterns of the command line replace those of pgrevive.yaml. */
function selectionOf(options: BackupOptions, { selection }: DatabaseTarget): Selection {
  const given = {
    schemas: options.schema,
    excludeSchemas: options.excludeSchema,
    tables: options.table,
    excludeTables: options.excludeTable,
    excludeTableData: options.excludeTableData,
  }
  const chosen = Object.values(given).some((patterns) => patterns.length > 0) ? given : selection
  return {
    schemas: [...chosen.schemas],
    excludeSchemas: [...chosen.excludeSchemas],
    tables: [...chosen.tables],
    excludeTables: [...chosen.excludeTables],
    excludeTableData: [...chosen.excludeTableData],
    content: options.schemaOnly ? 'schema-only' : options.dataOnly ? 'data-only' : 'all',
  }
}

/** `opened`: if there are several repositories. */
function describe(
  { id, record, warnings, stored }: BackedUp,
  opened: readonly NamedRepository[],
  { terminal }: CommandContext,
): string {
  const { totals, added } = record
  const tookMs = Date.parse(record.finishedAt) - Date.parse(record.startedAt)
  const leftOut = describeSelection(record.selection)
  return (
    `${terminal.colors.good('backed up')} ${printable(record.database)} as ${terminal.colors.strong(id)}: ` +
    `${formatQuantity(totals.tables, 'table')}, ${formatQuantity(totals.rows, 'row')}, ${formatBytes(totals.bytes)} ` +
    `in ${formatDuration(tookMs)}${opened.length === 0 ? `; ${formatBytes(added.bytes)} stored` : ''}\n` +
    opened
      .flatMap(({ name, repository }) => {
        const there = stored.get(repository)
        return there ? [`  ${printable(name)}: ${formatBytes(there.added.bytes)} stored\n`] : []
      })
      .join('') +
    (leftOut === undefined ? '' : `  ${terminal.colors.warning('left out')}: ${printable(leftOut)}\n`) +
    warnings.map((warning) => `  ${terminal.colors.warning('warning')}: ${printable(warning)}\n`).join('')
  )
}

export const backupCommand = defineCommand({
  name: 'backup',
  summary: 'back up one database, several, or a whole server',
  description:
    "Backs up every given database at one moment of its own, while others go on using it. DATABASE is a URL, a libpq connection string, or a name from pgrevive.yaml; without one, all databases of pgrevive.yaml and of its servers are backed up, or the one that libpq's variables (PGHOST, PGDATABASE, …) name. A backup is listed only once every byte of it is stored. Patterns are those of pg_dump; given here they replace the ones of pgrevive.yaml.",
  arguments: [
    {
      key: 'databases',
      name: 'DATABASE',
      presence: 'any number',
      help: 'postgres://…, docker://CONTAINER/NAME, compose://PROJECT/SERVICE/NAME, "host=… dbname=…", or a name from pgrevive.yaml',
    },
  ],
  options: [
    { flags: '--all', help: 'every database of the server that DATABASE names, and its roles' },
    { flags: '--jobs <N>', help: 'connections that read at the same time (default: cores, at most 4)' },
    { flags: '--schema <PATTERN>', help: 'only schemas that match; may be repeated', repeatable: true },
    {
      flags: '--table <PATTERN>',
      help: 'only tables that match, with all their partitions; may be repeated',
      repeatable: true,
    },
    { flags: '--exclude-schema <PATTERN>', help: 'no schemas that match; may be repeated', repeatable: true },
    { flags: '--exclude-table <PATTERN>', help: 'no tables that match; may be repeated', repeatable: true },
    {
      flags: '--exclude-table-data <PATTERN>',
      help: 'the definition but not the rows of tables that match; may be repeated',
      repeatable: true,
    },
    { flags: '--schema-only', help: 'definitions without rows' },
    { flags: '--data-only', help: 'rows without definitions' },
    { flags: '--pg-dump <WHICH>', help: 'auto, bundled, or the path of a pg_dump (default: auto)' },
    { flags: '--comment <TEXT>', help: 'a remark that show shows' },
    { flags: '--no-hooks', help: 'without the hooks of pgrevive.yaml' },
  ],
  examples: [
    {
      command: 'pgrevive backup postgres://backup@db.internal/shop --repo ./backups',
      meaning: 'one database; the password comes from .pgpass or PGPASSWORD',
    },
    { command: 'pgrevive backup', meaning: 'all databases of pgrevive.yaml' },
    { command: 'pgrevive backup --all "host=db.internal user=postgres"', meaning: 'a whole server' },
    {
      command: "pgrevive backup shop --exclude-table-data 'audit.*' --jobs 8",
      meaning: 'without the rows of a schema',
    },
  ],
  schema: backupOptions,
  keepsLog: true,
  run: backup,
})
