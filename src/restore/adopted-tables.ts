import { AppError } from '../core/app-error.ts'
import type { Connection } from '../postgres/connection.ts'
import { sqlStateOf } from '../postgres/postgres-error.ts'
import { quoteIdentifier, quoteLiteral, quoteQualified, quoteRegclass } from '../postgres/quote.ts'
import type { ManifestTable } from '../repository/manifest.ts'

interface AdoptOptions {
  readonly onNote: (note: string) => void
  readonly signal?: AbortSignal | undefined
}

/**
 * A configuration table that CREATE EXTENSION did not make was added to the extension by hand. pg_dump prints its rows
 * and not its definition; so that the rows have a place to go, it is made here and added to the extension again.
 */
export async function createAdoptedTables(
  connection: Connection,
  tables: readonly ManifestTable[],
  options: AdoptOptions,
): Promise<void> {
  for (const table of tables) {
    if (!table.extension) continue
    const regclass = quoteRegclass(table.schema, table.name, connection)
    const [[found] = [null]] = await connection.query(`SELECT pg_catalog.to_regclass(${regclass})`, options)
    if (found === null) await createAdoptedTable(connection, table, table.extension, options)
  }
}

async function createAdoptedTable(
  connection: Connection,
  table: ManifestTable,
  extension: NonNullable<ManifestTable['extension']>,
  options: AdoptOptions,
): Promise<void> {
  const name = quoteQualified(table.schema, table.name, connection)
  const regclass = quoteRegclass(table.schema, table.name, connection)
  const columns = extension.columns.map(
    ({ name: column, type, notNull, default: value }) =>
      `${quoteIdentifier(column, connection)} ${type}${notNull ? ' NOT NULL' : ''}${value === null ? '' : ` DEFAULT ${value}`}`,
  )
  try {
    await connection.execute(
      `CREATE TABLE ${name} (${columns.join(', ')});
       ALTER EXTENSION ${quoteIdentifier(extension.name)} ADD TABLE ${name}`,
      options,
    )
    // pg_extension_config_dump() works in an extension's own script only
    await connection.execute(
      `UPDATE pg_catalog.pg_extension SET
         extconfig = coalesce(extconfig, '{}') OPERATOR(pg_catalog.||) ${regclass}::pg_catalog.regclass::pg_catalog.oid,
         extcondition = coalesce(extcondition, '{}') OPERATOR(pg_catalog.||) ${quoteLiteral(extension.condition)}::pg_catalog.text
       WHERE extname OPERATOR(pg_catalog.=) ${quoteLiteral(extension.name)}`,
      options,
    )
    options.onNote(
      `table ${table.schema}.${table.name} was made without indexes: it was added to ${extension.name} by hand`,
    )
  } catch (error) {
    if (sqlStateOf(error) === undefined) throw error
    throw new AppError(
      'restore-failed',
      `table ${table.schema}.${table.name}, which was added to the extension ${extension.name} by hand, can not be made`,
      { cause: error, hint: 'restore as a superuser, or leave the table out of the backup with --exclude-table' },
    )
  }
}
