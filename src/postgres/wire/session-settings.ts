import type { Connection } from './connection.ts'
import { refuseSharedProcesses } from './pooler.ts'
import { quoteLiteral } from '../sql/quote.ts'

type Settings = Readonly<Record<string, string>>

/**
 * What every session needs so that the same value has the same text on both sides, whatever the server, the database
 * or the role is set to. The first block is what pg_dump sets (setup_connection); the rest keeps hashes stable.
 */
const everySession: Settings = {
  search_path: '',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  extra_float_digits: '3',
  synchronize_seqscans: 'off',
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  row_security: 'off', // an error rather than missing rows
  TimeZone: 'UTC',
  bytea_output: 'hex',
  xmlbinary: 'base64',
  xmloption: 'content',
  lc_monetary: 'C', // money keeps its digits under any locale
  standard_conforming_strings: 'on',
  quote_all_identifiers: 'off',
  default_transaction_read_only: 'off',
  client_min_messages: 'warning',
  client_connection_check_interval: '10s', // a killed run's CREATE INDEX would go on to its end
}

const readingSession: Settings = {
  ...everySession,
  max_parallel_workers_per_gather: '0',
  enable_tidscan: 'on',
  restrict_nonsystem_relation_kind: 'view, foreign-table', // CVE-2024-7348: a table swapped for a view
}

const loadingSession: Settings = {
  ...everySession,
  array_nulls: 'on', // else NULL in an array becomes the text 'NULL'
  check_function_bodies: 'off',
  synchronous_commit: 'off',
  maintenance_work_mem: '256MB',
}

const ordinarySession: Settings = {
  statement_timeout: '0',
  lock_timeout: '0',
  idle_in_transaction_session_timeout: '0',
  idle_session_timeout: '0',
  transaction_timeout: '0',
  standard_conforming_strings: 'on',
  default_transaction_read_only: 'off',
  client_min_messages: 'warning',
}

/** Applies those settings that this server knows; the others belong to other versions, and one to Linux only. */
async function applySettings(connection: Connection, settings: Settings): Promise<void> {
  await refuseSharedProcesses(connection)
  const values = Object.entries(settings).map(([name, value]) => `(${quoteLiteral(name)}, ${quoteLiteral(value)})`)
  await connection.execute(
    `SELECT pg_catalog.set_config(s.name, v.value, false) FROM (VALUES ${values.join(', ')}) AS v(name, value) ` +
      'JOIN pg_catalog.pg_settings s ON s.name OPERATOR(pg_catalog.=) v.name ' +
      "WHERE s.name OPERATOR(pg_catalog.<>) 'client_connection_check_interval' OR pg_catalog.version() OPERATOR(pg_catalog.~) 'linux'",
  )
}

export function prepareForReading(connection: Connection): Promise<void> {
  return applySettings(connection, readingSession)
}

export function prepareForLoading(connection: Connection): Promise<void> {
  return applySettings(connection, loadingSession)
}

/** Back to what every session of the role and the database has, for code of theirs that relies on it, but without limits of time. */
export async function prepareAsOrdinary(connection: Connection): Promise<void> {
  await connection.execute('RESET ALL')
  await applySettings(connection, ordinarySession)
}
