import { AppError } from '../core/app-error.ts'
import { readDatabaseProperties } from '../postgres/catalog/database.ts'
import type { Connection } from '../postgres/wire/connection.ts'
import { type UnfinishedMark, markSchema, readUnfinishedMark } from '../postgres/catalog/unfinished-mark.ts'
import { createDatabaseStatement } from '../postgres/sql/database-statements.ts'
import { quoteIdentifier } from '../postgres/sql/quote.ts'
import { countUserObjects } from './target-checks.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/**
 * Claims an existing database for as long as the session lasts. Returns the mark that is in it. Throws `target-not-empty`
 * when another restore is at work, and where a schema that is somebody else's, or no mark, has its name.
 */
export async function claimDatabase(
  connection: Connection,
  options: QueryOptions,
): Promise<UnfinishedMark | undefined> {
  const lock = `pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended('${markSchema}', 0))`
  const [[isOurs] = []] = await connection.query(`SELECT ${lock}`, options)
  if (isOurs !== 't') {
    const name = JSON.stringify(connection.target.database)
    throw new AppError('target-not-empty', `another restore fills the database ${name} at this moment`, {
      hint: 'nothing was changed; wait until it has ended, or name a database that does not exist yet',
    })
  }
  const mark = await readUnfinishedMark(connection, options)
  if (!mark || (mark.mine && mark.empty)) return mark
  if (mark.mine) {
    throw new AppError('target-not-empty', `the schema ${markSchema} holds objects, and its name is needed`, {
      hint: `nothing was changed; give it another name: ALTER SCHEMA ${markSchema} RENAME TO …`,
    })
  }
  throw new AppError('target-not-empty', `the schema ${markSchema} belongs to ${mark.owner}`, {
    hint: `nothing was changed; a schema of this name says that a restore did not end: have ${mark.owner} or a superuser look at what is in the database, and run DROP SCHEMA ${markSchema}`,
  })
}

/**
 * Claims an existing database that is to be filled, for as long as the session lasts, and leaves it as it is. Throws
 * `target-not-empty`.
 */
export async function claimEmptyDatabase(connection: Connection, options: QueryOptions): Promise<void> {
  const name = JSON.stringify(connection.target.database)
  const mark = await claimDatabase(connection, options)
  if (mark?.trusted) {
    throw new AppError(
      'target-not-empty',
      `the database ${name} holds part of a backup: a restore into it did not end`,
      {
        hint: `nothing was changed; ${mark.safetyBackup === undefined ? await howToEmpty(connection, options) : `"pgrevive restore ${mark.safetyBackup} --replace" brings back what was there before`}`,
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

/** `safetyBackup`: of what was in the database; it is named to whoever finds the mark. */
export async function setUnfinishedMark(
  connection: Connection,
  options: QueryOptions & { readonly safetyBackup?: string | undefined },
): Promise<void> {
  await connection.execute(`CREATE SCHEMA IF NOT EXISTS ${markSchema}`, options)
  if (options.safetyBackup === undefined) return
  await connection.execute(`COMMENT ON SCHEMA ${markSchema} IS 'safety backup ${options.safetyBackup}'`, options)
}

export async function removeUnfinishedMark(connection: Connection, options: QueryOptions): Promise<void> {
  await connection.execute(`DROP SCHEMA IF EXISTS ${markSchema}`, options)
}
