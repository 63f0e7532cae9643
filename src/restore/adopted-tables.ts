import { AppError } from '../core/app-error.ts'
import { adoptTableStatements } from '../postgres/catalog/adopted-table.ts'
import type { Connection } from '../postgres/wire/connection.ts'
import { sqlStateOf } from '../postgres/wire/postgres-error.ts'
import { quoteRegclass } from '../postgres/sql/quote.ts'
import type { ManifestTable } from '../repository/backups/manifest.ts'

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
  try {
    for (const statement of adoptTableStatements({ ...table, extension }, connection)) {
      await connection.execute(statement, options)
    }
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
