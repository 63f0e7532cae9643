import { AppError, hasCode, inContext } from '../../core/app-error.ts'
import { copyTarget } from '../../postgres/catalog/tables.ts'
import { quoteLiteral, quoteQualified } from '../../postgres/sql/quote.ts'
import type { CommandOptions, Connection } from '../../postgres/wire/connection.ts'
import { sqlStateOf } from '../../postgres/wire/postgres-error.ts'
import type { QualifiedName } from '../../repository/backups/manifest.ts'
import type { Backup } from '../../repository/backups/open-backup.ts'
import { loadChosen } from './load-chosen.ts'
import { invalidCondition, rowCondition } from './row-condition.ts'
import type { RowsOptions, RowsSession } from './rows-session.ts'
import type { TableCopy } from './table-copy.ts'

interface MakeOptions extends RowsOptions {
  readonly where: string | undefined
}

/** Makes the table, fills it, and builds its keys and indexes, in the transaction that is open. Returns the number of rows. */
export async function makeCopy(
  session: RowsSession,
  copy: TableCopy,
  backup: Backup,
  options: MakeOptions,
): Promise<number> {
  const { connection } = session
  const { from, into } = copy
  const run = async (work: Promise<unknown>) => {
    await work.catch((error: unknown) => {
      throw asCopyFailure(copy, error)
    })
  }
  for (const sql of copy.create) await run(connection.execute(sql, options))
  const where = options.where === undefined ? undefined : rowCondition(options.where, copy.generatedColumns, connection)
  if (where !== undefined) await tryCondition(connection, copy, where, options)
  await run(loadChosen(session, from, into, { ...options, freeze: true, where }))
  for (const sql of copy.build) await run(connection.execute(sql, options))
  const name = quoteQualified(into.schema, into.name, connection)
  const comment = `${from.schema}.${from.name} as of ${backup.record.snapshot.at}, from backup ${backup.id}${options.where === undefined ? '' : `, where ${options.where}`}`
  await connection.execute(`COMMENT ON TABLE ${name} IS ${quoteLiteral(comment, connection)}`, options)
  if (where === undefined) return from.rows
  const [[count] = ['0']] = await connection.query(`SELECT pg_catalog.count(*) FROM ${name}`, options)
  return Number(count)
}

/** On no row: whatever is wrong now is wrong with the condition. */
async function tryCondition(
  connection: Connection,
  { from: { columns }, into }: TableCopy,
  where: string,
  options: CommandOptions,
): Promise<void> {
  const sql = `COPY ${copyTarget({ ...into, columns }, connection)} FROM STDIN WHERE ${where}`
  try {
    await connection.copyIn(sql, noRows(), options)
  } catch (error) {
    if (!hasCode(error, 'query-failed', 'permission-denied')) throw error
    throw invalidCondition(error.message, error.cause)
  }
}

// oxlint-disable-next-line require-yield
async function* noRows(): AsyncGenerator<Uint8Array> {}

export async function tableExists(
  connection: Connection,
  { schema, name }: QualifiedName,
  options: CommandOptions,
): Promise<boolean> {
  const found = await connection.query(
    `SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ${quoteLiteral(schema, connection)} AND c.relname = ${quoteLiteral(name, connection)}`,
    options,
  )
  return found.length > 0
}

/** SQLSTATEs that say that a type, a function, a schema or an access method is not here. */
const absences = new Set(['42704', '42883', '3F000', '42P01'])

function asCopyFailure({ from, into }: TableCopy, error: unknown): unknown {
  const object = `${from.schema}.${from.name} as ${into.schema}.${into.name}`
  if (!hasCode(error, 'query-failed')) return inContext(object, error)
  const ownDatabase = 'a database of its own has all that it needs: --to NAME without --into-schema and --as'
  return new AppError('restore-failed', `${object}: ${error.message}`, {
    cause: error.cause,
    hint: absences.has(sqlStateOf(error) ?? '')
      ? `nothing was changed; this database lacks what the table is made with: ${ownDatabase}`
      : `nothing was changed; a type that has become another here may not take what the backup has: ${ownDatabase}`,
  })
}
