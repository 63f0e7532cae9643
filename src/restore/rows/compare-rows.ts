import { AppError } from '../../core/app-error.ts'
import { quoteIdentifier } from '../../postgres/sql/quote.ts'
import type { CommandOptions, Connection, Row } from '../../postgres/wire/connection.ts'
import type { LiveColumn } from './live-table.ts'
import { type StagedTable, sameKey } from './stage-rows.ts'

type Value = string | null

/** A row that differs; values are texts as COPY prints them. */
export interface RowDifference {
  /** `missing`: only in the backup; `extra`: only in the database. */
  readonly kind: 'missing' | 'changed' | 'extra'
  readonly key: Readonly<Record<string, Value>>
  /** Of a row that is changed: what it was in the backup, and what it is now. */
  readonly changes: readonly { readonly column: string; readonly before: Value; readonly after: Value }[]
}

export interface RowComparison {
  readonly backupRows: number
  readonly liveRows: number
  readonly equal: number
  readonly missing: number
  readonly changed: number
  readonly extra: number
  /** The first ones of each kind, in the order of the key. */
  readonly differences: readonly RowDifference[]
}

interface CompareOptions extends CommandOptions {
  /** How many differences of each kind are told. */
  readonly limit: number
}

/**
 * Compares in PostgreSQL, in the transaction that is open. Rows belong together when the key takes them for equal, and are
 * equal when all their texts are: 1.0 is not 1.00, and '' not NULL.
 */
export async function compareRows(
  connection: Connection,
  staged: StagedTable,
  options: CompareOptions,
): Promise<RowComparison> {
  const { table, sql, live, key, common, isPrimaryKey } = staged
  if (!isPrimaryKey) await refuseSameKeys(connection, staged, options)
  const keys = key.map(({ name }, index) => {
    const column = quoteIdentifier(name, connection)
    return `coalesce(b.${column}, l.${column}) AS k${index}`
  })
  await connection.execute(
    `CREATE TEMPORARY TABLE ${differing(staged)} ON COMMIT DROP AS
     SELECT CASE WHEN l.tableoid IS NULL THEN 'missing' WHEN b.tableoid IS NULL THEN 'extra' ELSE 'changed' END AS kind,
       ${keys.join(', ')}
     FROM ${sql} b FULL JOIN ${live.rows} ON ${sameKey(key, connection)}
     WHERE b.tableoid IS NULL OR l.tableoid IS NULL OR (${isChanged(common, connection)})`,
    options,
  )
  const found = await connection.query(`SELECT kind, pg_catalog.count(*) FROM ${differing(staged)} GROUP BY 1`, options)
  const counts = new Map(found.map(([kind, count]) => [kind, Number(count)]))
  const [missing, changed, extra] = [counts.get('missing') ?? 0, counts.get('changed') ?? 0, counts.get('extra') ?? 0]
  const equal = table.rows - missing - changed
  return {
    backupRows: table.rows,
    liveRows: equal + changed + extra,
    equal,
    missing,
    changed,
    extra,
    differences: [
      ...(await listOneSided(connection, staged, 'missing', options)),
      ...(await listChanged(connection, staged, options)),
      ...(await listOneSided(connection, staged, 'extra', options)),
    ],
  }
}

async function refuseSameKeys(
  connection: Connection,
  { table, live, key }: StagedTable,
  options: CommandOptions,
): Promise<void> {
  const columns = key.map(({ name }) => quoteIdentifier(name, connection)).join(', ')
  const sql = `SELECT FROM ${live.rows} GROUP BY ${columns} HAVING pg_catalog.count(*) > 1 LIMIT 1`
  if ((await connection.query(sql, options)).length === 0) return
  const names = key.map(({ name }) => name).join(', ')
  throw new AppError('usage-invalid', `the live rows of ${table.schema}.${table.name} are not told apart by ${names}`, {
    hint: 'name columns that tell all rows apart: --key a,b',
  })
}

/** The keys of what differs, with the way in which it does. */
const differing = ({ sql }: StagedTable) => `${sql}_differing`

function firstOf(staged: StagedTable, kind: RowDifference['kind'], limit: number): string {
  const keys = staged.key.map((_, index) => `k${index}`).join(', ')
  return `SELECT * FROM ${differing(staged)} WHERE kind = '${kind}' ORDER BY ${keys} LIMIT ${limit}`
}

async function listOneSided(
  connection: Connection,
  staged: StagedTable,
  kind: 'missing' | 'extra',
  { limit, ...options }: CompareOptions,
): Promise<RowDifference[]> {
  const keys = staged.key.map(({ output }, index) => textOf(`k${index}`, output))
  const rows = await connection.query(`SELECT ${keys.join(', ')} FROM (${firstOf(staged, kind, limit)}) AS d`, options)
  return rows.map((values) => ({ kind, key: named(staged.key, values), changes: [] }))
}

async function listChanged(
  connection: Connection,
  staged: StagedTable,
  { limit, ...options }: CompareOptions,
): Promise<RowDifference[]> {
  const { live, key, common } = staged
  const texts = (side: 'b' | 'l') => common.map((column) => textOf(valueOf(side, column, connection), column.output))
  const isListed = key.map((it, index) => `b.${quoteIdentifier(it.name, connection)} ${it.equals} d.k${index}`)
  const order = key.map((_, index) => `d.k${index}`)
  const sql = `
    SELECT ${[...texts('b'), ...texts('l')].join(', ')} FROM (${firstOf(staged, 'changed', limit)}) AS d
      JOIN ${staged.sql} b ON ${isListed.join(' AND ')} JOIN ${live.rows} ON ${sameKey(key, connection)}
    ORDER BY ${order.join(', ')}`
  const listed: RowDifference[] = []
  for await (const values of readInPieces(connection, sql, options)) {
    const [before, after] = [named(common, values), named(common, values.slice(common.length))]
    const changes = common
      .map(({ name }) => ({ column: name, before: before[name] ?? null, after: after[name] ?? null }))
      .filter((change) => change.before !== change.after)
    const id = Object.fromEntries(key.map(({ name }) => [name, before[name] ?? null]))
    listed.push({ kind: 'changed', key: id, changes })
  }
  return listed
}

/** Of rows that are told only few columns are kept. */
async function* readInPieces(connection: Connection, sql: string, options: CommandOptions): AsyncGenerator<Row> {
  await connection.execute(`DECLARE pieces NO SCROLL CURSOR FOR ${sql}`, options)
  for (;;) {
    const rows = await connection.query('FETCH 100 FROM pieces', options)
    if (rows.length === 0) break
    yield* rows
  }
  await connection.execute('CLOSE pieces', options)
}

function named(columns: readonly LiveColumn[], values: readonly Value[]): Record<string, Value> {
  return Object.fromEntries(columns.map(({ name }, index) => [name, values[index] ?? null]))
}

/** Rows with the same bytes have the same text, and need not be printed. */
function isChanged(columns: readonly LiveColumn[], connection: Connection): string {
  const row = (side: 'b' | 'l') =>
    `ROW(${columns.map((it) => valueOf(side, it, connection)).join(', ')})::pg_catalog.record`
  const texts = columns.map((column) => {
    const text = (side: 'b' | 'l') =>
      `${textOf(valueOf(side, column, connection), column.output)} COLLATE pg_catalog."C"`
    return `${text('b')} IS DISTINCT FROM ${text('l')}`
  })
  return `${row('b')} OPERATOR(pg_catalog.*<>) ${row('l')} AND (${texts.join(' OR ')})`
}

/** What COPY would print; a cast to text may say something else, as of char(n) and inet. */
function textOf(value: string, output: string): string {
  return `pg_catalog.textin(${output}(${value}))`
}

function valueOf(side: 'b' | 'l', { name, type, isDomain }: LiveColumn, connection: Connection): string {
  const column = `${side}.${quoteIdentifier(name, connection)}`
  return isDomain ? `CAST(${column} AS ${type})` : column
}
