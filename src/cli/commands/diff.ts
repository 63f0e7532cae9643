import { z } from 'zod'
import { AppError, hasCode } from '../../core/app-error.ts'
import { type DatabaseState, stateOfBackup, stateOfDatabase } from '../../diff/database-state.ts'
import { diffStates } from '../../diff/diff-states.ts'
import { type ConnectionTarget, describeTarget } from '../../postgres/target/connection-target.ts'
import type { RepositoryReader } from '../../repository/repository-reader.ts'
import type { Backup } from '../../repository/backups/open-backup.ts'
import { type BackupReference, backupReference, backupReferenceHelp } from '../repositories/backup-reference.ts'
import type { CommandContext } from '../command-context.ts'
import { findDatabase } from '../databases/database-target.ts'
import { reachDatabase } from '../databases/reach-database.ts'
import { type Outcome, defineCommand, differentExitCode } from '../define-command.ts'
import { describeDiff, withoutPasswords } from '../databases/describe-diff.ts'
import { findBackup } from '../repositories/find-backup.ts'
import { formatAge, formatTime } from '../../core/text/format.ts'
import { flag, jobs, texts } from '../option-types.ts'
import { type ListedRepository, locateBackup } from '../repositories/locate-backup.ts'
import { printable } from '../../core/text/printable.ts'
import { type StateReference, stateReference, stateReferenceHelp } from '../databases/state-reference.ts'

const diffOptions = z.strictObject({
  a: backupReference,
  b: stateReference,
  table: texts,
  schemaOnly: flag,
  jobs: jobs.optional(),
})
export type DiffOptions = z.output<typeof diffOptions>

/** One side: what it is called, and what it holds. */
interface Side {
  readonly title: string
  readonly id: string | null
  readonly source: string
  readonly state: DatabaseState
}

async function diff(options: DiffOptions, context: CommandContext): Promise<Outcome> {
  const { backup: first, found: opened } = await locateBackup(options.a, context)
  const { colors } = context.terminal
  const second =
    options.b.kind === 'live' ? await findLive(options.b, first, context) : await findOther(options.b, opened, context)
  const reader = await opened.repository.openReader(context)
  const a = await sideOfBackup(first, reader, context)
  const b =
    'record' in second ? await sideOfBackup(second, reader, context) : await sideOfLive(second, a, options, context)
  const found = withoutPasswords(
    diffStates(a.state, b.state, { schemaOnly: options.schemaOnly, tables: options.table }),
  )
  return {
    document: { a: sideDocument(a), b: sideDocument(b), ...found },
    text: `${colors.strong('A')}  ${printable(a.title)}\n${colors.strong('B')}  ${printable(b.title)}\n\n${describeDiff(found, context.terminal)}`,
    exitCode: found.equal ? 0 : differentExitCode,
  }
}

interface Live {
  readonly target: ConnectionTarget
  readonly environment: CommandContext['environment']
}

/** Whoever names a configured database alone may want it as it is now. */
async function findOther(
  reference: BackupReference,
  opened: ListedRepository,
  context: CommandContext,
): Promise<Backup> {
  try {
    return findBackup(opened, reference)
  } catch (error) {
    if (!hasCode(error, 'backup-unknown') || reference.kind !== 'id') throw error
    const { config } = await context.settings()
    const database = [...(config?.databases.keys() ?? [])].find((name) => name.toUpperCase() === reference.prefix)
    if (database === undefined) throw error
    throw new AppError(error.code, error.message, {
      hint: `"live:${database}" is the database as it is now, and "latest:${database}" its newest backup`,
    })
  }
}

async function findLive(
  { database }: Extract<StateReference, { kind: 'live' }>,
  { record }: Backup,
  context: CommandContext,
): Promise<Live> {
  const { config } = await context.settings()
  if (database === undefined && !config?.databases.has(record.database)) {
    throw new AppError('usage-invalid', `pgrevive.yaml names no database "${printable(record.database)}"`, {
      hint: 'name the database in the place of "live": live:DATABASE, or a URL such as postgres://host/name',
    })
  }
  const found = await findDatabase(database ?? record.database, { config, environment: context.environment })
  return { target: await reachDatabase(found, context), environment: found.environment }
}

async function sideOfBackup(backup: Backup, reader: RepositoryReader, context: CommandContext): Promise<Side> {
  const { id, record } = backup
  const at = new Date(record.snapshot.at)
  return {
    title: `backup ${id} of ${record.database}, ${formatTime(at)} (${formatAge(at, new Date())})`,
    id,
    source: record.source,
    state: await stateOfBackup(reader, backup, context),
  }
}

async function sideOfLive(
  { target, environment }: Live,
  { state: before }: Side,
  { table: tables, schemaOnly, jobs: chosenJobs }: DiffOptions,
  context: CommandContext,
): Promise<Side> {
  const settings = await context.settings()
  const state = await stateOfDatabase(target, before, {
    jobs: chosenJobs ?? settings.jobs,
    pgDump: settings.pgDump,
    environment,
    schemaOnly,
    tables,
    onProgress: context.onProgress,
    signal: context.signal,
  })
  const source = describeTarget(target)
  return { title: `live ${source}, ${formatTime(new Date(state.manifest.snapshot.at))}`, id: null, source, state }
}

function sideDocument({ id, source, state: { manifest } }: Side) {
  return {
    backup: id,
    source,
    at: manifest.snapshot.at,
    serverVersion: manifest.server.version,
    pgDump: manifest.pgDump,
  }
}

export const diffCommand = defineCommand({
  name: 'diff',
  summary: 'compare two backups, or a backup and a database',
  description:
    'Tells what B has that A has not, and the other way round: tables with their rows and sizes, sequences, large objects, extensions, properties of the database, and the definitions line by line. Contents are compared by the hashes that proofs use. Two backups need no server; a live database is read as a backup would, at one snapshot, with the selection of A, and nothing is stored. Exit code 0: equal; 9: different.',
  arguments: [
    { key: 'a', name: 'A', presence: 'required', help: backupReferenceHelp },
    { key: 'b', name: 'B', presence: 'required', help: stateReferenceHelp },
  ],
  options: [
    { flags: '--table <PATTERN>', help: 'only tables that match; may be repeated', repeatable: true },
    { flags: '--schema-only', help: 'only definitions: reads no rows' },
    { flags: '--jobs <N>', help: 'connections that read at the same time (default: cores, at most 4)' },
  ],
  examples: [
    { command: 'pgrevive diff 01JD8Y latest', meaning: 'what happened between two backups' },
    {
      command: 'pgrevive diff latest:shop live',
      meaning: 'what happened since the newest backup of a configured database',
    },
    {
      command: 'pgrevive diff latest:shop postgres://localhost/shop_restored --table public.orders',
      meaning: 'one table of a backup and of any other database',
    },
  ],
  schema: diffOptions,
  readsOnly: true,
  run: diff,
})
