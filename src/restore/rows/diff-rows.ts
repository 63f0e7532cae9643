import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import type { QualifiedName } from '../../repository/backups/manifest.ts'
import type { Backup } from '../../repository/backups/open-backup.ts'
import type { Repository } from '../../repository/repository.ts'
import { type WaitOptions, limitWaits } from '../lock-waits.ts'
import { applyMissing, refuseToApply, sequencesBehind } from './apply-missing.ts'
import { matchTables } from './comparable-table.ts'
import { type RowComparison, compareRows } from './compare-rows.ts'
import { explainWait } from './explain-wait.ts'
import { type RowsOptions, type RowsSession, openRowsSession } from './rows-session.ts'
import { type StagedTable, stageRows } from './stage-rows.ts'

export interface DiffRowsOptions extends RowsOptions, WaitOptions {
  /** Columns that tell rows apart, in place of the primary key; none: that. */
  readonly key: readonly string[]
  /** How many differences of each kind are told. */
  readonly limit: number
  /** `missing`: what only the backup has is inserted. */
  readonly apply: 'missing' | undefined
}

/** How the rows of a table differ from those of a backup. */
export interface TableDiff extends RowComparison {
  readonly table: QualifiedName
  readonly key: readonly string[]
  /** That were compared; of others, which side has them. */
  readonly columns: readonly string[]
  readonly onlyInBackup: readonly string[]
  readonly onlyLive: readonly string[]
  /** Null: nothing was to be inserted. */
  readonly inserted: number | null
}

/**
 * Compares tables of a backup with those of a database, at one snapshot, by their keys. The backup's rows go into temporary
 * tables there, and nothing else is written unless missing rows are to be inserted.
 */
export async function diffRows(
  repository: Repository,
  backup: Backup,
  target: ConnectionTarget,
  options: DiffRowsOptions,
): Promise<{ readonly tables: readonly TableDiff[]; readonly notes: readonly string[] }> {
  await using session = await openRowsSession(repository, backup, target, options)
  await limitWaits(session.connection, options)
  const comparable = await matchTables(session, options.key, options)
  if (options.apply !== undefined) comparable.forEach(refuseToApply)
  const staged: StagedTable[] = []
  for (const one of comparable) staged.push(await stageRows(session, one, options))
  const comparisons = await compareAll(session, staged, options)
  const notes = staged.flatMap(notesOf)
  const inserted = options.apply === undefined ? undefined : await applyMissing(session, staged, options)
  for (const one of inserted ? staged : []) notes.push(...(await sequencesBehind(session.connection, one, options)))
  const tables = staged.flatMap((one, index) => {
    const comparison = comparisons[index]
    return comparison ? [describe(one, comparison, inserted?.[index] ?? null)] : []
  })
  return { tables, notes: [...notes, ...tables.flatMap(passedOver)] }
}

/** Locks before the snapshot, since a table that is rewritten after it looks empty. */
async function compareAll(
  { connection }: RowsSession,
  staged: readonly StagedTable[],
  options: DiffRowsOptions,
): Promise<RowComparison[]> {
  const tables = staged.map(({ live }) => live.sql)
  await connection
    .execute(`BEGIN ISOLATION LEVEL REPEATABLE READ; LOCK TABLE ${tables.join(', ')} IN ACCESS SHARE MODE`, options)
    .catch((error: unknown) => {
      throw explainWait(error, options)
    })
  const comparisons: RowComparison[] = []
  const tell = (done: number, { table }: StagedTable) => {
    const detail = `table ${table.schema}.${table.name}`
    options.onProgress?.({ phase: 'comparison', unit: 'items', done, total: staged.length, detail })
  }
  for (const [index, one] of staged.entries()) {
    tell(index, one)
    comparisons.push(await compareRows(connection, one, options))
    tell(index + 1, one)
  }
  await connection.execute('COMMIT', options)
  return comparisons
}

function describe(
  { table, live, key, common }: StagedTable,
  comparison: RowComparison,
  inserted: number | null,
): TableDiff {
  const columns = common.map(({ name }) => name)
  return {
    table: { schema: table.schema, name: table.name },
    key: key.map(({ name }) => name),
    columns,
    onlyInBackup: table.columns.filter((name) => !columns.includes(name)),
    onlyLive: live.columns.filter(({ name }) => !columns.includes(name)).map(({ name }) => name),
    ...comparison,
    inserted,
  }
}

function notesOf({ table, live, common, changedTypes }: StagedTable): string[] {
  const title = `${table.schema}.${table.name}`
  const names = new Set(common.map(({ name }) => name))
  const gone = table.columns.filter((name) => !names.has(name))
  const others = live.columns.filter(({ name }) => !names.has(name))
  const list = (columns: readonly { readonly name: string }[]) => columns.map(({ name }) => name).join(', ')
  const [generated, added] = [others.filter((it) => it.isGenerated), others.filter((it) => !it.isGenerated)]
  return [
    ...(gone.length > 0 ? [`${title}: not compared, since the live table has no such column: ${gone.join(', ')}`] : []),
    ...(added.length > 0 ? [`${title}: not compared, since the backup has no such column: ${list(added)}`] : []),
    ...(generated.length > 0 ? [`${title}: not compared, since they are generated: ${list(generated)}`] : []),
    ...changedTypes
      .filter(({ change }) => change !== 'declaration')
      .map(
        ({ column: { name, type, declaredType }, before }) =>
          `${title}: the type of ${name} has changed from ${before} to ${declaredType}: compared as ${type}, which may say other values for equal, or equal ones for changed`,
      ),
    ...(live.triggers.length > 0
      ? [`${title}: inserting missing rows fires its triggers: ${live.triggers.join(', ')}`]
      : []),
  ]
}

function passedOver({ table, missing, inserted }: TableDiff): string[] {
  if (inserted === null || inserted === missing) return []
  return [
    `${table.schema}.${table.name}: of ${missing} missing rows ${inserted} were inserted; others were inserted, or took their place in a unique index, meanwhile or before, or a trigger or rule kept them out`,
  ]
}
