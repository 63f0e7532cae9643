import { AppError, hasCode } from '../../core/app-error.ts'
import { quoteIdentifier, quoteLiteral, quoteQualified, quoteRegclass } from '../../postgres/sql/quote.ts'
import type { CommandOptions, Connection } from '../../postgres/wire/connection.ts'
import { PostgresError, sqlStateOf } from '../../postgres/wire/postgres-error.ts'
import { prepareAsOrdinary, prepareForLoading } from '../../postgres/wire/session-settings.ts'
import { textEncodingOf, withEncoding } from '../connect-for-text.ts'
import { type WaitOptions, limitWaits } from '../lock-waits.ts'
import type { ComparableTable } from './comparable-table.ts'
import type { RowsSession } from './rows-session.ts'
import { explainWait } from './explain-wait.ts'
import { type StagedTable, sameKey } from './stage-rows.ts'

/**
 * Inserts the rows of the backup whose key no live row has, of all tables in one transaction, those first that others refer
 * to. As for any INSERT of the role, constraints are checked and triggers fire. A row whose place another has taken by then,
 * in any unique index, is passed over. Returns how many were inserted, in the order of `staged`.
 */
export async function applyMissing(
  { connection, manifest }: RowsSession,
  staged: readonly StagedTable[],
  options: WaitOptions,
): Promise<number[]> {
  const ordered = await inOrderOfReferences(connection, staged, options)
  await prepareAsOrdinary(connection)
  await limitWaits(connection, options)
  await withEncoding(connection, textEncodingOf(manifest), options.signal)
  const inserted = new Map<StagedTable, number>()
  try {
    await connection.execute('BEGIN ISOLATION LEVEL READ COMMITTED', options)
    for (const one of ordered) inserted.set(one, await insertMissing(connection, one, options))
    await connection.execute('COMMIT', options)
  } catch (error) {
    throw asApplyFailure(explainWait(error, options))
  }
  await prepareForLoading(connection)
  await limitWaits(connection, options)
  return staged.map((one) => inserted.get(one) ?? 0)
}

/** Where an INSERT could not bring the rows as they were. Nothing has been read yet. */
export function refuseToApply({ table: { schema, name }, live, changedTypes }: ComparableTable): void {
  const [changed] = changedTypes.filter(({ change }) => change === 'type')
  if (changed) {
    const { column, before } = changed
    throw new AppError(
      'restore-failed',
      `nothing was inserted: the type of ${column.name} of ${schema}.${name} has changed from ${before} to ${column.declaredType}`,
      { hint: '--as puts the rows beside it: INSERT … SELECT from there, with the conversion that you want' },
    )
  }
  if (live.insertRules.length > 0) {
    throw new AppError(
      'restore-failed',
      `nothing was inserted: ${schema}.${name} has rules that rewrite each INSERT: ${live.insertRules.join(', ')}`,
      {
        hint: '--as puts the rows beside it: INSERT … SELECT from there if the rules should act, or after ALTER TABLE … DISABLE RULE',
      },
    )
  }
}

async function insertMissing(connection: Connection, staged: StagedTable, options: CommandOptions): Promise<number> {
  const { table, live, common } = staged
  await refuseRounding(connection, staged, options)
  const columns = common.filter(({ isGenerated }) => !isGenerated).map(({ name }) => quoteIdentifier(name, connection))
  const [[count] = ['0']] = await connection.query(
    `WITH inserted AS (
       INSERT INTO ${quoteQualified(table.schema, table.name, connection)} (${columns.join(', ')}) OVERRIDING SYSTEM VALUE
       SELECT ${columns.map((column) => `b.${column}`).join(', ')} FROM ${missingRows(staged, connection)}
       ${live.takesOnConflict ? 'ON CONFLICT DO NOTHING' : ''} RETURNING 1)
     SELECT pg_catalog.count(*) FROM inserted`,
    options,
  )
  return Number(count)
}

/** As SQL after FROM, called b. */
function missingRows({ sql, live, key }: StagedTable, connection: Connection): string {
  return `${sql} b WHERE NOT EXISTS (SELECT FROM ${live.rows} WHERE ${sameKey(key, connection)})`
}

/** A text that is too long is refused by any INSERT, but a number or a time with too many digits is rounded. */
async function refuseRounding(connection: Connection, staged: StagedTable, options: CommandOptions): Promise<void> {
  const { schema, name } = staged.table
  for (const { column, before } of staged.changedTypes) {
    if (!/^(numeric|time|interval)/.test(column.type)) continue
    const value = `b.${quoteIdentifier(column.name, connection)}`
    const [[count] = ['0']] = await connection.query(
      `SELECT pg_catalog.count(*) FROM ${missingRows(staged, connection)}
         AND ${value} OPERATOR(pg_catalog.<>) CAST(${value} AS ${column.declaredType})`,
      options,
    )
    if (Number(count) === 0) continue
    throw new AppError(
      'restore-failed',
      `nothing was inserted: ${column.name} of ${schema}.${name}, once ${before}, is ${column.declaredType}, and ${count} of its missing values would be rounded`,
      { hint: '--as puts the rows beside it: INSERT … SELECT from there if they may be rounded' },
    )
  }
}

const hints: Readonly<Record<string, string>> = {
  '23503': 'rows that it refers to are missing, too: name their table as well, with another --table',
  '23505':
    'another live row has this value, in a constraint that is DEFERRABLE, or the row came meanwhile: change that one, or bring the rows beside it with --as',
}

/** Tables that others refer to come before those; where they refer to each other, the order stays. */
async function inOrderOfReferences(
  connection: Connection,
  staged: readonly StagedTable[],
  options: CommandOptions,
): Promise<StagedTable[]> {
  const regclasses = staged.map(
    ({ table }) => `${quoteRegclass(table.schema, table.name, connection)}::pg_catalog.regclass`,
  )
  const found = await connection.query(
    `WITH chosen (table_oid, n) AS (VALUES ${regclasses.map((regclass, n) => `(${regclass}::pg_catalog.oid, ${n})`).join(', ')})
     SELECT a.n, b.n FROM pg_catalog.pg_constraint f JOIN chosen a ON a.table_oid = f.conrelid
       JOIN chosen b ON b.table_oid = f.confrelid WHERE f.contype = 'f'`,
    options,
  )
  const ordered = new Set<StagedTable>()
  const begun = new Set<StagedTable>()
  const add = (one: StagedTable) => {
    if (begun.has(one)) return
    begun.add(one)
    for (const [from, to] of found) {
      const referenced = staged[Number(to)]
      if (staged[Number(from)] === one && referenced) add(referenced)
    }
    ordered.add(one)
  }
  staged.forEach(add)
  return [...ordered]
}

function asApplyFailure(error: unknown): unknown {
  if (hasCode(error, 'permission-denied')) {
    return new AppError(error.code, `nothing was inserted: ${error.message}`, {
      cause: error.cause,
      hint: 'GRANT INSERT on the table to the role, or connect as one that may',
    })
  }
  if (!hasCode(error, 'query-failed')) return error
  const detail = error.cause instanceof PostgresError && error.cause.detail ? ` (${error.cause.detail})` : ''
  return new AppError('restore-failed', `nothing was inserted: ${error.message}${detail}`, {
    cause: error.cause,
    hint:
      hints[sqlStateOf(error) ?? ''] ??
      'the live table or one of its triggers refuses what the backup has: --as puts the rows beside it',
  })
}

/** Sequences of key columns that stand below their highest value, in words: what they give next is taken. */
export async function sequencesBehind(
  connection: Connection,
  { table, live, key }: StagedTable,
  options: CommandOptions,
): Promise<string[]> {
  const regclass = quoteRegclass(table.schema, table.name, connection)
  const notes: string[] = []
  for (const { name } of key.filter(({ type }) => /^(smallint|integer|bigint)$/.test(type))) {
    const [[sequence = null, stands = null, highest = null] = []] = await connection.query(
      `SELECT s.oid::pg_catalog.regclass, q.last_value, m.highest
       FROM pg_catalog.pg_class s JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
         JOIN pg_catalog.pg_sequences q ON q.schemaname = n.nspname AND q.sequencename = s.relname
         CROSS JOIN (SELECT pg_catalog.max(${quoteIdentifier(name, connection)}) FROM ${live.rows}) AS m(highest)
       WHERE s.oid = pg_catalog.pg_get_serial_sequence(${regclass}, ${quoteLiteral(name, connection)})::pg_catalog.regclass
         AND pg_catalog.has_sequence_privilege(s.oid, 'USAGE, SELECT') AND q.increment_by > 0
         AND m.highest > coalesce(q.last_value, q.start_value - 1)`,
      options,
    )
    if (sequence === null || highest === null) continue
    notes.push(
      `the sequence ${sequence} stands at ${stands ?? 'its start'}, and the highest ${name} is ${highest}: new rows will collide until SELECT setval(${quoteLiteral(sequence)}, ${highest})`,
    )
  }
  return notes
}
