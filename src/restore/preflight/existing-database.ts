import { listSome } from '../../core/text/list-some.ts'
import { quoteIdentifier, quoteLiteral } from '../../postgres/sql/quote.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import { type PreflightFinding, bad, good, note } from './preflight-finding.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/** What a restore does with a database that is there. */
export type OverExisting = 'in-place' | 'replace'

/** What uses the current database, and what a restore means to it: `in-place` swaps names, `replace` drops what is in it. */
export async function checkExistingDatabase(
  connection: Connection,
  way: OverExisting,
  options: QueryOptions = {},
): Promise<PreflightFinding[]> {
  return [
    await checkSessions(connection, options),
    ...(await checkPreparedTransactions(connection, options)),
    ...(await checkSlots(connection, way, options)),
    ...(await checkSubscriptions(connection, way, options)),
    ...(await checkPublications(connection, way, options)),
    ...(await checkEventTriggers(connection, way, options)),
  ]
}

const isThisDatabase = (column: string) => `${column} OPERATOR(pg_catalog.=) pg_catalog.current_database()`

async function names(connection: Connection, sql: string, options: QueryOptions): Promise<string[]> {
  return (await connection.query(sql, options)).map(([name]) => name ?? '')
}

async function checkSessions(connection: Connection, options: QueryOptions): Promise<PreflightFinding> {
  const users = await names(
    connection,
    `SELECT coalesce(nullif(application_name, ''), usename, 'unknown') FROM pg_catalog.pg_stat_activity
     WHERE ${isThisDatabase('datname')} AND pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()
       AND coalesce(backend_type, 'client backend') OPERATOR(pg_catalog.=) 'client backend' ORDER BY 1`,
    options,
  )
  if (users.length === 0) return good('sessions', 'none', 'nobody else is connected to it')
  return note('sessions', String(users.length), `connected to it: ${listSome([...new Set(users)])}`)
}

/** They hold their locks, and keep the database from being renamed, until somebody ends them. */
async function checkPreparedTransactions(connection: Connection, options: QueryOptions): Promise<PreflightFinding[]> {
  const gids = await names(
    connection,
    `SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE ${isThisDatabase('database')} ORDER BY prepared`,
    options,
  )
  if (gids.length === 0) return []
  return [
    bad(
      'prepared transactions',
      String(gids.length),
      'table-locked',
      `transactions are prepared in it and hold locks: ${listSome(gids)}`,
      `end each: ${listSome(gids.map((gid) => `COMMIT PREPARED ${quoteLiteral(gid)}`))}, or ROLLBACK PREPARED`,
    ),
  ]
}

async function checkSlots(connection: Connection, way: OverExisting, options: QueryOptions) {
  const slots = await names(
    connection,
    `SELECT slot_name FROM pg_catalog.pg_replication_slots WHERE ${isThisDatabase('database')} ORDER BY 1`,
    options,
  )
  if (slots.length === 0) return []
  const consequence = {
    'in-place': 'stay with the old database: who reads them must be set up anew for the restored one',
    replace: 'go on, and rows are copied and dropped under who reads them: set that up anew afterwards',
  }
  return [note('replication slots', String(slots.length), `${listSome(slots)} ${consequence[way]}`)]
}

async function checkSubscriptions(connection: Connection, way: OverExisting, options: QueryOptions) {
  const subscriptions = await names(
    connection,
    `SELECT s.subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d
       ON d.oid OPERATOR(pg_catalog.=) s.subdbid WHERE ${isThisDatabase('d.datname')} ORDER BY 1`,
    options,
  )
  if (subscriptions.length === 0) return []
  const listed = listSome(subscriptions)
  if (way === 'in-place') {
    const meaning = `${listed} stay with the old database, and go on filling it`
    return [note('subscriptions', String(subscriptions.length), meaning)]
  }
  const remedies = subscriptions.map((name) => {
    const subscription = `SUBSCRIPTION ${quoteIdentifier(name)}`
    return `ALTER ${subscription} DISABLE; ALTER ${subscription} SET (slot_name = NONE); DROP ${subscription}`
  })
  return [
    bad(
      'subscriptions',
      String(subscriptions.length),
      'target-not-empty',
      `the database subscribes to another one, which writes into its tables: ${listed}`,
      `${listSome(remedies)} (the slot on the other server stays, and is to be dropped there)`,
    ),
  ]
}

async function checkPublications(connection: Connection, way: OverExisting, options: QueryOptions) {
  const publications = await names(connection, 'SELECT pubname FROM pg_catalog.pg_publication ORDER BY 1', options)
  if (publications.length === 0) return []
  const consequence = {
    'in-place': 'stay in the old database; the restored one has those of the backup',
    replace: 'give way to those of the backup: their subscribers must be refreshed',
  }
  return [note('publications', String(publications.length), `${listSome(publications)} ${consequence[way]}`)]
}

async function checkEventTriggers(connection: Connection, way: OverExisting, options: QueryOptions) {
  if (way === 'in-place') return []
  const triggers = await names(
    connection,
    `SELECT evtname FROM pg_catalog.pg_event_trigger
     WHERE evtenabled OPERATOR(pg_catalog.<>) 'D' AND NOT pg_catalog.pg_has_role(evtowner, 'MEMBER') ORDER BY 1`,
    options,
  )
  if (triggers.length === 0) return []
  return [
    note(
      'event triggers',
      String(triggers.length),
      `of others, fire for what is dropped and made: ${listSome(triggers)}`,
    ),
  ]
}
