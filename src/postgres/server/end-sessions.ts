import { quoteLiteral } from '../sql/quote.ts'
import type { Connection } from '../wire/connection.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/** Whose sessions the current role may end (pg_signal_backend in signalfuncs.c): nobody but superusers those of superusers. */
const mayEnd = `(SELECT me.rolsuper OR NOT other.rolsuper AND
       (pg_catalog.pg_has_role(other.oid, 'USAGE') OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'))
     FROM pg_catalog.pg_roles me, pg_catalog.pg_roles other
     WHERE me.rolname OPERATOR(pg_catalog.=) CURRENT_USER AND other.oid OPERATOR(pg_catalog.=) usesysid)`

/**
 * Ends what is connected to a database, as far as the current role may, so that it can be renamed: pools keep sessions
 * open, and monitoring connects everywhere. Returns how many were told to end.
 */
export function endSessionsIn(connection: Connection, database: string, options: QueryOptions = {}): Promise<number> {
  return endSessions(connection, database, mayEnd, options)
}

/** What others' sessions are is told to nobody but members of pg_read_all_stats. */
const isClient = "coalesce(backend_type, 'client backend') OPERATOR(pg_catalog.=) 'client backend'"

/** Ends what other clients are connected to a database, as far as the current role may, but no replication. */
export function endClientsIn(connection: Connection, database: string, options: QueryOptions = {}): Promise<number> {
  return endSessions(connection, database, `${mayEnd} AND ${isClient}`, options)
}

/** Autovacuum, which has no user, takes such a lock too, and lets go of it for others. */
const holdsTable = `${isClient} AND usesysid IS NOT NULL AND EXISTS (SELECT FROM pg_catalog.pg_locks l
         WHERE l.pid OPERATOR(pg_catalog.=) pg_stat_activity.pid AND l.granted
           AND l.locktype OPERATOR(pg_catalog.=) 'relation' AND l.mode OPERATOR(pg_catalog.=) 'AccessExclusiveLock')`

/** A client that has a table for itself, in words that tell role, program and pid. */
export interface LockHolder {
  readonly who: string
  /** Whether the current role may end it. */
  readonly mayEnd: boolean
}

export async function listLockHolders(
  connection: Connection,
  database: string,
  options: QueryOptions = {},
): Promise<LockHolder[]> {
  const rows = await connection.query(
    `SELECT usename, application_name, pid, ${mayEnd} FROM pg_catalog.pg_stat_activity
     WHERE datname OPERATOR(pg_catalog.=) ${quoteLiteral(database, connection)} AND ${holdsTable} ORDER BY pid`,
    options,
  )
  return rows.map(([user, program, pid, may]) => ({
    who: `${user ?? ''} (${program === '' ? '' : `${program ?? ''}, `}pid ${pid ?? ''})`,
    mayEnd: may === 't',
  }))
}

/** Ends clients that have tables of a database for themselves, as far as the current role may. */
export function endLockHoldersIn(
  connection: Connection,
  database: string,
  options: QueryOptions = {},
): Promise<number> {
  return endSessions(connection, database, `${mayEnd} AND ${holdsTable}`, options)
}

/** A statement such as CREATE INDEX runs on after its client is gone. Only sessions of pgrevive's name are ended. */
export function endSessionsOfKilledRun(
  connection: Connection,
  database: string,
  options: QueryOptions = {},
): Promise<number> {
  const ours = "application_name OPERATOR(pg_catalog.=) pg_catalog.current_setting('application_name')"
  return endSessions(connection, database, ours, options)
}

async function endSessions(
  connection: Connection,
  database: string,
  condition: string,
  options: QueryOptions,
): Promise<number> {
  const [[count] = ['0']] = await connection.query(
    `SELECT pg_catalog.count(*) FILTER (WHERE pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity
     WHERE datname OPERATOR(pg_catalog.=) ${quoteLiteral(database, connection)}
       AND pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid() AND ${condition}`,
    options,
  )
  return Number(count)
}
