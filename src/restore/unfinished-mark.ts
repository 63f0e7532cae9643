import { AppError } from '../core/app-error.ts'
import { readDatabaseProperties } from '../postgres/catalog/database.ts'
import type { Connection } from '../postgres/wire/connection.ts'
import { createDatabaseStatement } from '../postgres/sql/database-statements.ts'
import { quoteIdentifier } from '../postgres/sql/quote.ts'
import { countUserObjects } from './target-checks.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/** Lies in an existing database while it is being filled; whoever finds it knows that the restore did not end. */
const markSchema = 'pgrevive_restore_unfinished'

/**
 * Claims an existing database that is to be filled, for as long as the session lasts, and leaves it as it is. Throws
 * `target-not-empty`.
 */
export async function claimEmptyDatabase(connection: Connection, options: QueryOptions): Promise<void> {
  const name = JSON.stringify(connection.target.database)
  const lock = `pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended('${markSchema}', 0))`
  const [[isOurs, mark] = []] = await connection.query(
    `SELECT ${lock}, pg_catalog.to_regnamespace('${markSchema}')`,
    options,
  )
  if (isOurs !== 't') {
    throw new AppError('target-not-empty', `another restore fills the database ${name} at this moment`, {
      hint: 'nothing was changed; wait until it has ended, or name a database that does not exist yet',
    })
  }
  if (mark !== null) {
    throw new AppError(
      'target-not-empty',
      `the database ${name} holds part of a backup: a restore into it did not end`,
      {
        hint: `nothing was changed; ${await howToEmpty(connection, options)}`,
      },
    )
  }
  const objects = await countUserObjects(connection, options)
  if (objects === 0) return
  throw new AppError('target-not-empty', `the database ${name} holds ${objects} objects`, {
    hint: 'nothing was changed; name a database that does not exist yet, and it will be created',
  })
}

/** What to do with a database that holds an unfinished restore. */
export async function howToEmpty(connection: Connection, options: QueryOptions): Promise<string> {
  const properties = await readDatabaseProperties(connection, options)
  const { name, owner } = properties
  const create = createDatabaseStatement(name, properties, { owner, tablespaces: true }, connection.serverVersionNumber)
  return `make it empty and run the same command again: DROP DATABASE ${quoteIdentifier(name)}; ${create};`
}

export async function setUnfinishedMark(connection: Connection, options: QueryOptions): Promise<void> {
  await connection.execute(`CREATE SCHEMA ${markSchema}`, options)
}

export async function removeUnfinishedMark(connection: Connection, options: QueryOptions): Promise<void> {
  await connection.execute(`DROP SCHEMA ${markSchema}`, options)
}
