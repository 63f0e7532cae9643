import { setTimeout as delay } from 'node:timers/promises'
import { AppError, hasCode, messageOf } from '../../core/app-error.ts'
import { endLockHoldersIn, endSessionsIn, listLockHolders } from '../../postgres/server/end-sessions.ts'
import { quoteIdentifier, quoteLiteral } from '../../postgres/sql/quote.ts'
import { type ConnectionTarget, describeTarget } from '../../postgres/target/connection-target.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import { sqlStateOf } from '../../postgres/wire/postgres-error.ts'
import { connectForMaintenance } from '../maintenance-connection.ts'
import { type KeptRecord, commentStatement, keptName, recordStatement } from './set-aside.ts'

export interface SwapOptions {
  /** How long transactions may take to end by themselves before their sessions are ended. */
  readonly graceMs: number
  /** Told who is connected, before any session is ended. */
  readonly onNotice: (notice: string) => void
  readonly signal?: AbortSignal | undefined
}

export interface Swap {
  /** What had the name is kept under this one. */
  readonly kept: string
  readonly run: string
  readonly at: string
  /** From the moment at which nobody could connect to when they could again. */
  readonly withoutNameMs: number
  readonly endedSessions: number
}

/** Nobody could tell whether the names were swapped. */
export class UnknownSwap extends AppError {}

/**
 * Gives the name of a database to another one, in one transaction: whatever happens, one of the two has it. The first keeps
 * all that was ever committed to it under the name that `kept` stands for. Throws `target-busy` when there are sessions that
 * the current role can not end.
 */
export async function swapNames(
  target: ConnectionTarget,
  incoming: { readonly name: string; readonly comment: string | null },
  kept: Omit<KeptRecord, 'at' | 'comment' | 'ended'>,
  options: SwapOptions,
): Promise<Swap> {
  const { signal } = options
  const name = kept.of
  await using swapping = await connectForMaintenance(target, options)
  await using ending = await connectForMaintenance(target, options)
  await waitForTransactions(ending, name, options)
  const [[comment = null] = []] = await swapping.query(
    `SELECT pg_catalog.shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database
     WHERE datname OPERATOR(pg_catalog.=) ${quoteLiteral(name, swapping)}`,
    options,
  )
  const record: KeptRecord = { ...kept, at: new Date().toISOString(), comment, ended: false }
  const outgoing = keptName(record)
  await endSessionsIn(ending, incoming.name, options)
  signal?.throwIfAborted()
  const startedMs = performance.now()
  const quoted = (database: string) => quoteIdentifier(database, swapping)
  // From here on without the signal: a swap takes less than a second, or the server refuses it. The first statement locks
  // the database, so that nobody can connect any more, and waits up to five seconds for sessions to leave it; and no longer
  // for who has it locked from elsewhere.
  const renaming = swapping.execute(
    [
      "BEGIN; SET LOCAL lock_timeout = '5s'",
      `ALTER DATABASE ${quoted(name)} RENAME TO ${quoted(outgoing)}`,
      `ALTER DATABASE ${quoted(incoming.name)} RENAME TO ${quoted(name)}`,
      recordStatement(outgoing, record, swapping),
      commentStatement(name, incoming.comment, swapping),
      'COMMIT',
    ].join('; '),
  )
  const { endedSessions, failure } = await endSessionsDuring(renaming, ending, name)
  const withoutNameMs = Math.round(performance.now() - startedMs)
  const swap = { kept: outgoing, run: record.run, at: record.at, withoutNameMs, endedSessions }
  if (failure === undefined) return swap
  if (hasCode(failure, 'connection-lost') && (await hasHappened(target, outgoing, swapping.processId))) return swap
  throw explainBusy(failure, [name, incoming.name])
}

/** Ends sessions in a database for as long as something waits until there are none; says how that ended. */
async function endSessionsDuring(
  work: Promise<void>,
  ending: Connection,
  name: string,
): Promise<{ readonly endedSessions: number; readonly failure: unknown }> {
  let failure: unknown
  let endedSessions = 0
  const state = { done: false }
  const settled = work
    .catch((error: unknown) => {
      failure = error
    })
    .then(() => (state.done = true))
  while (!state.done) {
    endedSessions += await endSessionsIn(ending, name).catch((error: unknown) => {
      if (error instanceof AppError) return 0 // the work goes on without it, or fails by itself
      throw error
    })
    await Promise.race([settled, delay(20)])
  }
  return { endedSessions, failure }
}

/** Gives a database a name that is free, and ends its sessions for it. Throws `target-busy`. */
export async function renameDatabase(
  maintenance: Connection,
  name: string,
  wanted: string,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  await using ending = await connectForMaintenance(maintenance.target, options)
  const quoted = (database: string) => quoteIdentifier(database, maintenance)
  const renaming = maintenance.execute(
    `SET LOCAL lock_timeout = '5s'; ALTER DATABASE ${quoted(name)} RENAME TO ${quoted(wanted)}`,
  )
  const { failure } = await endSessionsDuring(renaming, ending, name)
  if (failure !== undefined) throw explainBusy(failure, [name])
}

/** The answer to COMMIT may have been lost with the connection, and the server may still be about to commit. */
async function hasHappened(target: ConnectionTarget, outgoing: string, processId: number): Promise<boolean> {
  const deadline = performance.now() + 30_000
  let problem: unknown
  do {
    try {
      await using connection = await connectForMaintenance(target, {})
      const working = await connection.query(
        `SELECT FROM pg_catalog.pg_stat_activity
         WHERE pid OPERATOR(pg_catalog.=) ${processId} AND state OPERATOR(pg_catalog.=) 'active'`,
      )
      if (await isThere(connection, outgoing)) return true
      if (working.length === 0) return false
      problem = new Error('the server is still at it')
    } catch (error) {
      problem = error
    }
    await delay(500)
  } while (performance.now() < deadline)
  throw new UnknownSwap(
    'connection-lost',
    `the connection was lost while the names were swapped (${messageOf(problem)})`,
    {
      cause: problem,
      hint: `${describeTarget(target)} is either the old or the new database, and whole; "pgrevive restore --resume --to ${target.database}" tells which, and goes on`,
    },
  )
}

export async function isThere(connection: Connection, database: string): Promise<boolean> {
  const rows = await connection.query(
    `SELECT FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) ${quoteLiteral(database, connection)}`,
  )
  return rows.length > 0
}

/**
 * Ends sessions that keep a backup of the database from being taken: those that hold a table for themselves, and go on doing
 * so for as long as transactions may take. Throws `target-busy` when there are some that the current role can not end.
 */
export async function endLockHolders(target: ConnectionTarget, options: SwapOptions): Promise<void> {
  const { graceMs, onNotice, signal } = options
  const { database } = target
  await using connection = await connectForMaintenance(target, options)
  const deadline = performance.now() + graceMs
  let holders = await listLockHolders(connection, database, options)
  while (holders.length > 0 && performance.now() < deadline) {
    await delay(100, undefined, { signal })
    holders = await listLockHolders(connection, database, options)
  }
  const [ours, others] = [true, false].map((mayEnd) =>
    holders.flatMap((holder) => (holder.mayEnd === mayEnd ? [holder.who] : [])).join(', '),
  )
  if (ours) {
    onNotice(`sessions that hold tables in ${database} for themselves are ended: ${ours}`)
    await endLockHoldersIn(connection, database, options)
  }
  if (!others) return
  throw new AppError(
    'target-busy',
    `${others} holds tables in ${describeTarget(target)} for itself, and may not be ended`,
    {
      hint: 'nothing was changed; end that as a superuser, with pg_terminate_backend of its pid, or wait until it has ended',
    },
  )
}

/** Says who is connected, and gives transactions that are under way their time. */
async function waitForTransactions(connection: Connection, name: string, options: SwapOptions): Promise<void> {
  const { onNotice, graceMs, signal } = options
  const sessions = await connection.query(
    `SELECT usename, coalesce(nullif(application_name, ''), backend_type), pg_catalog.count(*)
     FROM pg_catalog.pg_stat_activity WHERE datname OPERATOR(pg_catalog.=) ${quoteLiteral(name, connection)}
       AND backend_type NOT IN ('autovacuum worker', 'parallel worker')
     GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2`,
    options,
  )
  if (sessions.length === 0) return
  const who = sessions.map(([user, program, count]) => `${user ?? ''} (${program ?? ''}) ${count ?? ''}`).join(', ')
  onNotice(`sessions in ${name} will be ended, transactions get up to ${graceMs / 1000} s to end by themselves: ${who}`)
  const deadline = performance.now() + graceMs
  while (performance.now() < deadline) {
    const busy = await connection.query(
      `SELECT FROM pg_catalog.pg_stat_activity WHERE datname OPERATOR(pg_catalog.=) ${quoteLiteral(name, connection)}
         AND backend_type OPERATOR(pg_catalog.=) 'client backend' AND xact_start IS NOT NULL`,
      options,
    )
    if (busy.length === 0) return
    await delay(100, undefined, { signal })
  }
}

/** That somebody is in a database, or has it locked, with what tells who; any other failure as it is. */
export function explainBusy(error: unknown, databases: readonly string[]): unknown {
  if (!(error instanceof AppError)) return error
  const { message, cause } = error
  const names = databases.map((name) => quoteLiteral(name)).join(', ')
  switch (sqlStateOf(error)) {
    case '55006':
      return new AppError('target-busy', message, {
        cause,
        hint: `nothing was changed; SELECT * FROM pg_stat_activity WHERE datname IN (${names}) tells who is there, and SELECT * FROM pg_prepared_xacts what is prepared: end that as a superuser, or stop what opens it with a hook`,
      })
    case '55P03':
      return new AppError('target-busy', `${names} could not be locked: ${message}`, {
        cause,
        hint: "nothing was changed; SELECT a.* FROM pg_stat_activity a JOIN pg_locks l USING (pid) WHERE l.classid = 'pg_database'::regclass tells who alters or copies a database: end that",
      })
    case undefined:
    default:
      return error
  }
}
