import { ulid } from 'ulid'
import { hasCode, messageOf } from '../../core/app-error.ts'
import { temporaryDatabasePattern } from '../catalog/database.ts'
import { Connection } from '../wire/connection.ts'
import { withDatabase } from '../target/connection-target.ts'
import { sqlStateOf } from '../wire/postgres-error.ts'
import { quoteIdentifier, quoteLiteral } from '../sql/quote.ts'
import { endSessionsOfKilledRun } from './end-sessions.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/**
 * The name for a database that is a run's own until the run is done with it. It is held by an advisory lock of the
 * session: the server frees that however the run ends, and who finds the database then knows that nobody will finish it.
 * The session must last until the database is renamed or dropped.
 */
export async function reserveTemporaryDatabase(
  maintenance: Connection,
  purpose: 'restore' | 'proof' | 'swap' | 'refresh',
  options: QueryOptions = {},
): Promise<string> {
  const name = `pgrevive_${purpose}_${ulid().toLowerCase()}`
  await maintenance.execute(`SELECT pg_catalog.pg_advisory_lock(${lockOf(quoteLiteral(name))})`, options)
  return name
}

/** Takes over a temporary database that another run has left; false: that run is alive. */
export async function takeTemporaryDatabase(
  maintenance: Connection,
  name: string,
  options: QueryOptions = {},
): Promise<boolean> {
  const [[isOurs] = []] = await maintenance.query(
    `SELECT pg_catalog.pg_try_advisory_lock(${lockOf(quoteLiteral(name))})`,
    options,
  )
  return isOurs === 't'
}

/** Of 64 bits: all versions of PostgreSQL on all hosts have to agree on the lock's number only while they use one server. */
function lockOf(name: string): string {
  return `pg_catalog.hashtextextended(${name}, 0)`
}

/**
 * Drops the temporary databases of runs that have ended without doing so, and says it. One that is still in use, or that
 * this role may not drop, stays and is named too. One that tells in its comment whose place it is to take may be wanted:
 * "restore --resume" goes on with it, and "--abort" drops it.
 */
export async function dropAbandonedDatabases(
  maintenance: Connection,
  options: QueryOptions & { readonly onNote: (note: string) => void },
): Promise<void> {
  // The locks are read after the databases: each was locked before it was made.
  const abandoned = await maintenance.query(
    `SELECT d.datname FROM pg_catalog.pg_database d
     WHERE d.datname OPERATOR(pg_catalog.~) ${quoteLiteral(temporaryDatabasePattern)}
       AND (d.datname OPERATOR(pg_catalog.!~) '^pgrevive_swap_'
         OR pg_catalog.shobj_description(d.oid, 'pg_database') IS NULL)
       AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_locks l
       WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.objsubid OPERATOR(pg_catalog.=) 1
         AND ((l.classid::bigint OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.|) l.objid::bigint)
           OPERATOR(pg_catalog.=) ${lockOf('d.datname::text')})`,
    options,
  )
  for (const [name] of abandoned) {
    if (name === null || name === undefined) continue
    try {
      await endSessionsOfKilledRun(maintenance, name, options)
      await dropTemporaryDatabase(maintenance, name, options)
      options.onNote(`dropped the database ${name}, which an earlier run had left unfinished`)
    } catch (error) {
      if (!hasCode(error, 'query-failed', 'permission-denied', 'database-missing')) throw error
      options.onNote(
        `the database ${name}, which an earlier run has left unfinished, could not be dropped (${messageOf(error)}): DROP DATABASE ${quoteIdentifier(name)}`,
      )
    }
  }
}

/** If it is there. `force` ends sessions that are connected to it. */
export async function dropTemporaryDatabase(
  maintenance: Connection,
  name: string,
  options: QueryOptions & { readonly force?: boolean } = {},
): Promise<void> {
  const database = quoteIdentifier(name)
  const drop = () =>
    maintenance.execute(`DROP DATABASE IF EXISTS ${database}${options.force ? ' WITH (FORCE)' : ''}`, options)
  const [[isTemplate] = ['f']] = await maintenance.query(
    `SELECT datistemplate FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) ${quoteLiteral(name)}`,
    options,
  )
  if (isTemplate === 't') await maintenance.execute(`ALTER DATABASE ${database} IS_TEMPLATE false`, options)
  try {
    await drop()
  } catch (error) {
    if (sqlStateOf(error) !== '55006' || !(await dropSubscriptions(maintenance, name, options))) throw error
    await drop()
  }
}

/** They keep their database from being dropped. Without their slots: those are the publisher's. Says whether there were any. */
async function dropSubscriptions(maintenance: Connection, name: string, options: QueryOptions): Promise<boolean> {
  await using connection = await Connection.connect(withDatabase(maintenance.target, name), options)
  const subscriptions = await connection.query(
    `SELECT s.subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) s.subdbid
     WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()`,
    options,
  )
  for (const [subscription] of subscriptions) {
    const quoted = quoteIdentifier(subscription ?? '')
    for (const action of ['DISABLE', 'SET (slot_name = NONE)']) {
      await connection.execute(`ALTER SUBSCRIPTION ${quoted} ${action}`, options)
    }
    await connection.execute(`DROP SUBSCRIPTION ${quoted}`, options)
  }
  return subscriptions.length > 0
}
