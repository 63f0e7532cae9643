import { AppError, hasCode } from '../../core/app-error.ts'
import { Connection } from './connection.ts'
import { describeHost } from '../target/connection-target.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

const rounds = 3

/**
 * Throws `connection-pooled` if a pooler may give parts of the session to different processes of the server, or to different
 * servers: then settings, locks and snapshots do not hold, and settings would stay behind in processes that others use.
 * PgBouncer, Odyssey, PgCat and RDS Proxy greet with a process id of their own, and so does Neon's proxy, which is none; one
 * that keeps to a process (pool_mode = session) is as good as none. Pgpool-II greets as the server that reads, not the primary.
 */
export async function refuseSharedProcesses(connection: Connection, options: QueryOptions = {}): Promise<void> {
  const processId = await askProcessId(connection, options)
  if (processId === connection.processId) return
  if (await isPgpool(connection, options)) throw refusal(connection, 'is Pgpool-II, which spreads queries over servers')
  const reason = 'is a connection pooler that shares processes of the server between its clients'
  const { target, host } = connection
  await using other = await Connection.connect({ ...target, hosts: [host] }, options)
  for (let round = 1; round <= rounds; round++) {
    // a process that is free between two transactions goes to whoever begins the next one
    const otherProcessId = await beginTransaction(other, options)
    if (otherProcessId === processId || (await askProcessId(connection, options)) !== processId) {
      throw refusal(connection, reason)
    }
    await other.execute('ROLLBACK', options)
  }
  connection.processId = processId
}

/** The comment is for Pgpool-II, which then asks the primary server, as for LOCK, and not the one for reading. */
async function askProcessId(connection: Connection, options: QueryOptions): Promise<number> {
  const [row] = await connection.query('/*NO LOAD BALANCE*/ SELECT pg_catalog.pg_backend_pid()', options)
  return Number(row?.[0])
}

async function beginTransaction(connection: Connection, options: QueryOptions): Promise<number> {
  try {
    await connection.execute('BEGIN', options)
    return await askProcessId(connection, options)
  } catch (error) {
    if (!hasCode(error, 'query-failed', 'connection-lost')) throw error
    throw refusal(connection, `is a connection pooler that has no transactions: ${error.message}`, error)
  }
}

async function isPgpool(connection: Connection, options: QueryOptions): Promise<boolean> {
  try {
    await connection.query('SHOW pool_version', options)
    return true
  } catch (error) {
    if (hasCode(error, 'query-failed')) return false
    throw error
  }
}

function refusal({ host }: Connection, reason: string, cause?: unknown): AppError {
  return new AppError('connection-pooled', `${describeHost(host)} ${reason}`, {
    hint: 'connect to the PostgreSQL server itself, or to a pool whose pool_mode is session',
    cause,
  })
}
