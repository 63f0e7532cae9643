import { AppError, hasCode, inContext } from '../../core/app-error.ts'
import { quoteIdentifier, quoteLiteral } from '../../postgres/sql/quote.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import { sqlStateOf } from '../../postgres/wire/postgres-error.ts'
import type { ChosenTable } from './chosen-tables.ts'
import type { ComparableTable } from './comparable-table.ts'
import type { LiveColumn } from './live-table.ts'
import { loadChosen } from './load-chosen.ts'
import type { RowsOptions, RowsSession } from './rows-session.ts'

/** The rows of a backup in a temporary table of the session, typed as the live table is, with its key. */
export interface StagedTable extends ComparableTable {
  /** The temporary table, as SQL. */
  readonly sql: string
  readonly key: readonly KeyColumn[]
}

export interface KeyColumn extends LiveColumn {
  /** What the primary key takes for equal, as SQL: `OPERATOR(pg_catalog.=)`. */
  readonly equals: string
}

/**
 * Loads them with the input functions of the live columns' types, so that both sides are printed by the same server.
 * A domain's rules are not asked: what they refuse now is no less missing.
 */
export async function stageRows(
  session: RowsSession,
  comparable: ComparableTable,
  options: RowsOptions,
): Promise<StagedTable> {
  const { connection, tables } = session
  const { table, common, key } = comparable
  const name = `pgrevive_rows_${tables.indexOf(table) + 1}`
  const sql = `pg_temp.${name}`
  const columns = table.columns.map((column) => columnSql(column, common, connection))
  const keyList = key.map((column) => quoteIdentifier(column.name, connection)).join(', ')
  try {
    await connection.execute(`CREATE TEMPORARY TABLE ${sql} (${columns.join(', ')})`, options)
    await loadChosen(session, table, { schema: 'pg_temp', name }, { ...options, freeze: false })
    await connection.execute(`ALTER TABLE ${sql} ADD PRIMARY KEY (${keyList}); ANALYZE ${sql}`, options)
  } catch (error) {
    throw asStageFailure(table, key, error)
  }
  const operators = await connection.query(operatorsQuery(sql), options)
  const equals = new Map(operators.map(([column, operator]) => [column, operator ?? '']))
  return { ...comparable, sql, key: key.map((it) => ({ ...it, equals: equals.get(it.name) ?? '' })) }
}

/** Whether a row of the backup, b, and a live one, l, have the same key; as SQL. */
export function sameKey(key: readonly KeyColumn[], connection: Connection): string {
  const pairs = key.map(({ name, equals }) => {
    const column = quoteIdentifier(name, connection)
    return `b.${column} ${equals} l.${column}`
  })
  return pairs.join(' AND ')
}

/** A column that is no more is kept as text, and not compared. */
function columnSql(name: string, common: readonly LiveColumn[], connection: Connection): string {
  const { type = 'text', collation = null } = common.find((column) => column.name === name) ?? {}
  return `${quoteIdentifier(name, connection)} ${type}${collation === null ? '' : ` COLLATE ${collation}`}`
}

/** What the index of the temporary table's key, which PostgreSQL chose for the types, takes for equal. */
const operatorsQuery = (table: string) => `
  SELECT a.attname, pg_catalog.format('OPERATOR(%I.%s)', n.nspname, o.oprname)
  FROM pg_catalog.pg_index i
    CROSS JOIN LATERAL ROWS FROM (pg_catalog.unnest(i.indkey), pg_catalog.unnest(i.indclass)) AS k(attnum, opclass)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    JOIN pg_catalog.pg_opclass c ON c.oid = k.opclass
    JOIN pg_catalog.pg_amop p ON p.amopfamily = c.opcfamily AND p.amopstrategy = 3
      AND p.amoplefttype = c.opcintype AND p.amoprighttype = c.opcintype
    JOIN pg_catalog.pg_operator o ON o.oid = p.amopopr
    JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
  WHERE i.indrelid = ${quoteLiteral(table)}::pg_catalog.regclass AND i.indisprimary`

function asStageFailure({ schema, name }: ChosenTable, key: readonly LiveColumn[], error: unknown): unknown {
  const object = `${schema}.${name}`
  const columns = key.map((column) => column.name).join(', ')
  switch (sqlStateOf(error)) {
    case '23505':
    case '23502':
    case '42704':
      return new AppError('usage-invalid', `the rows of ${object} in the backup are not told apart by ${columns}`, {
        cause: error,
        hint: 'name columns without NULL that tell all rows apart: --key a,b',
      })
    case '25006':
      return new AppError('restore-failed', `${object}: ${error instanceof Error ? error.message : ''}`, {
        cause: error,
        hint: 'the rows of the backup are compared in a temporary table, which a standby can not have: ask its primary',
      })
    case undefined:
    default:
  }
  if (hasCode(error, 'permission-denied')) {
    return new AppError(error.code, `${object}: ${error.message}`, {
      cause: error.cause,
      hint: 'the rows of the backup are compared in a temporary table: GRANT TEMPORARY ON DATABASE … TO the role',
    })
  }
  if (!hasCode(error, 'query-failed')) return inContext(object, error)
  return new AppError('restore-failed', `${object}: ${error.message}`, {
    cause: error.cause,
    hint: 'nothing was changed; the live table may not take what the backup has, because a type has become another: restore the table into a database of its own and compare there',
  })
}
