import { AppError } from '../../core/app-error.ts'
import { listRelations } from '../../postgres/catalog/tables.ts'
import { chooseServerBinaries } from '../../postgres/server/server-binaries.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import type { CommandContext } from '../command-context.ts'
import type { Settings } from '../settings/settings.ts'
import { type DatabaseTarget, findDatabases } from '../databases/database-target.ts'
import { type ReachedDatabase, findWay } from '../databases/reach-database.ts'
import { formatQuantity } from '../../core/text/format.ts'
import { type HostFinding, clockFinding, failed, orError } from './host-finding.ts'
import { quoteIdentifier } from '../../postgres/sql/quote.ts'
import { connectionRemedy, psql } from './connection-remedy.ts'

/** Whether the databases that `backup` would take can be reached, read, and proven here. */
export async function checkDatabases({ config }: Settings, context: CommandContext): Promise<HostFinding[]> {
  const databases = await orError(findDatabases([], { config, environment: context.environment }), context)
  if (databases instanceof AppError) {
    return [
      {
        check: 'databases',
        answer: 'none',
        verdict: 'note',
        meaning: 'backup needs one to be named',
        remedy: 'write "databases: …" into pgrevive.yaml, or set PGDATABASE',
      },
    ]
  }
  const found = await Promise.all(databases.map((database) => checkDatabase(database, context)))
  return found.flat()
}

async function checkDatabase(database: DatabaseTarget, context: CommandContext): Promise<HostFinding[]> {
  const check = database.name ?? "database of libpq's variables"
  const reached = await orError(findWay(database, context), context)
  if (reached instanceof AppError) return [failed(check, reached)]
  const { target, way } = reached
  const connected = await orError(Connection.connect(target, context), context)
  if (connected instanceof AppError) return [failed(check, connected, connectionRemedy(connected, reached))]
  await using connection = connected
  const within = (findings: readonly HostFinding[]) =>
    findings.map((finding) => ({ ...finding, check: `${check}: ${finding.check}` }))
  const clock = await orError(checkClock(connection, context), context)
  const rights = await orError(checkRights(connection, database, reached, context), context)
  return [
    await checkServer(check, connection, way, context),
    ...within([clock instanceof AppError ? failed('clock', clock) : clock]),
    ...within(rights instanceof AppError ? [failed('rights', rights)] : rights),
  ]
}

/** `way`: how it is reached, where that may be asked. */
async function checkServer(
  check: string,
  { serverVersionNumber: version }: Connection,
  way: string | undefined,
  context: CommandContext,
): Promise<HostFinding> {
  const major = Math.floor(version / 10_000)
  const answer = `PostgreSQL ${major}.${version % 10_000}`
  const before = way === undefined ? '' : `${way}; `
  const binaries = await orError(chooseServerBinaries(major, context), context)
  return binaries instanceof AppError
    ? { check, answer, verdict: 'note', meaning: `${before}it can not be proven here`, remedy: binaries.hint }
    : { check, answer, verdict: 'good', meaning: `${before}it can be proven with PostgreSQL ${binaries.version}` }
}

async function checkClock(connection: Connection, context: CommandContext): Promise<HostFinding> {
  const before = Date.now()
  const sql = 'SELECT pg_catalog.date_part($$epoch$$, pg_catalog.clock_timestamp())'
  const [[seconds] = []] = await connection.query(sql, context)
  return clockFinding('the server', Number(seconds) * 1000 - (before + Date.now()) / 2)
}

/** Whether the role may read what a backup takes, and do what a restore beside the database needs. */
async function checkRights(
  connection: Connection,
  { selection }: DatabaseTarget,
  place: ReachedDatabase,
  context: CommandContext,
): Promise<HostFinding[]> {
  const [[user = '', superuser, createDatabase] = []] = await connection.query(
    `SELECT rolname, rolsuper, rolcreatedb FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user`,
    context,
  )
  if (superuser === 't') {
    return [
      { check: 'rights', answer: `superuser ${user}`, verdict: 'good', meaning: 'may read and restore everything' },
    ]
  }
  const role = quoteIdentifier(String(user))
  const hidden = await unreadable(connection, selection, context)
  const grant =
    connection.serverVersionNumber >= 140_000
      ? psql(place, `GRANT pg_read_all_data TO ${role}`)
      : `back up as the owner of the tables, or as a superuser: before PostgreSQL 14 no role may read everything`
  const [first] = hidden
  return [
    first === undefined
      ? { check: 'rights', answer: String(user), verdict: 'good', meaning: 'may read every table that is backed up' }
      : {
          check: 'rights',
          answer: String(user),
          verdict: 'bad',
          meaning: `may not read ${first}${hidden.length > 1 ? ` and ${formatQuantity(hidden.length - 1, 'other table', 'other tables')}` : ''}: a backup would fail`,
          remedy: grant,
        },
    createDatabase === 't'
      ? {
          check: 'restore',
          answer: 'CREATEDB',
          verdict: 'good',
          meaning: 'may restore into a new database, and --in-place',
        }
      : {
          check: 'restore',
          answer: 'no CREATEDB',
          verdict: 'note',
          meaning: 'may restore into databases that are there, and with --replace; not --in-place',
          remedy: psql(place, `ALTER ROLE ${role} CREATEDB`),
        },
  ]
}

/** Names of relations that a backup would take and the role may not read. */
async function unreadable(
  connection: Connection,
  selection: DatabaseTarget['selection'],
  context: CommandContext,
): Promise<string[]> {
  const relations = await listRelations(connection, selection, context)
  const wanted = relations.filter(({ selected, excluded }) => selected && !excluded).map(({ oid }) => oid)
  if (wanted.length === 0) return []
  const rows = await connection.query(
    `SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c
       JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
     WHERE c.oid IN (${wanted.join(', ')}) AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE')
       AND CASE c.relkind WHEN 'S' THEN pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
         ELSE pg_catalog.has_table_privilege(c.oid, 'SELECT') END)
     ORDER BY 1`,
    context,
  )
  return rows.map(([name]) => String(name))
}
