import { mapDatabaseRoles } from '../../postgres/sql/database-statements.ts'
import { quoteLiteral } from '../../postgres/sql/quote.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import type { ServerGlobals } from '../../postgres/catalog/server-globals.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import type { Manifest } from '../../repository/backups/manifest.ts'
import { type RestorePlan, rolesOfPlan } from '../../repository/backups/restore-plan.ts'
import { existingRoles } from '../target-checks.ts'
import { checkDiskSpace } from './disk-space.ts'
import { checkExistingDatabase, type OverExisting } from './existing-database.ts'
import { neededSpace } from './needed-space.ts'
import { type PreflightFinding, bad, failureOf, good, note } from './preflight-finding.ts'
import { checkConnections, checkRights, ownersGiven } from './rights.ts'
import { checkServerObjects } from './server-objects.ts'

/** A restore that is about to begin. */
export interface PreflightSubject {
  readonly manifest: Manifest
  readonly plan: RestorePlan
  /** The database that is to be there in the end. */
  readonly target: ConnectionTarget
  /** `new`: one is created; `empty`: one that is there and empty is filled, or tables in it. */
  readonly way: 'new' | 'empty' | OverExisting
  /** Present when missing roles are to be created: those of the backup. */
  readonly globals: ServerGlobals | undefined
  readonly jobs: number
}

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/**
 * Looks at everything a restore needs, and changes nothing. `connection` is one to the server, to whichever database. All
 * that would make the restore fail is found at once: `failureOf` makes one error of it.
 */
export async function preflight(
  connection: Connection,
  subject: PreflightSubject,
  options: QueryOptions = {},
): Promise<PreflightFinding[]> {
  const { manifest, plan, target, way, globals, jobs } = subject
  const properties = mapDatabaseRoles(manifest.database, plan.choices.roleMap)
  const makesDatabase = way === 'new' || way === 'in-place'
  const roles = rolesOfPlan(plan)
  const owners = ownersGiven(plan)
  if (makesDatabase && !plan.choices.noOwner) {
    roles.add(properties.owner)
    owners.add(properties.owner)
  }
  const createdRoles = await absentRoles(connection, roles, globals, options)
  const ownTablespace = makesDatabase && !plan.choices.noTablespaces ? properties.tablespace : undefined
  const needs = { roles, createdRoles, tablespace: ownTablespace, extensions: manifest.extensions }
  const { database } = target
  return [
    ...(await checkServer(connection, subject, options)),
    ...(await checkRights(connection, { makesDatabase, database, owners, createdRoles }, options)),
    ...(await checkServerObjects(connection, plan, needs, options)),
    ...(await checkSpace(connection, subject, ownTablespace, options)),
    await checkConnections(connection, jobs, options),
    ...(way === 'in-place' || way === 'replace' ? await checkThere(connection, target, way, options) : []),
  ]
}

/** The same, as a step of a restore: throws what stands in its way. */
export async function requireReadiness(
  connection: Connection,
  subject: PreflightSubject,
  options: QueryOptions = {},
): Promise<void> {
  const failure = failureOf(await preflight(connection, subject, options))
  if (failure) throw failure
}

async function checkServer(
  connection: Connection,
  { manifest, way }: PreflightSubject,
  options: QueryOptions,
): Promise<PreflightFinding[]> {
  const version = connection.serverVersionNumber
  const [here, there] = [version, manifest.server.versionNumber].map((number) => Math.floor(number / 10_000))
  const answer = `PostgreSQL ${connection.parameters.get('server_version')}`
  const server =
    here === there
      ? good('server', answer, 'the major version of the backup')
      : Number(here) > Number(there)
        ? note(
            'server',
            answer,
            `newer than the ${manifest.server.version} of the backup: try what the application does`,
          )
        : note(
            'server',
            answer,
            `older than the ${manifest.server.version} of the backup: it may refuse definitions that it does not know, and then nothing is left`,
          )
  const problems: PreflightFinding[] = []
  if (version < 130000) {
    const meaning = `${answer} is too old`
    problems.push(bad('server', answer, 'server-unsupported', meaning, 'restore into PostgreSQL 13 or later'))
  }
  const [[standby] = []] = await connection.query('SELECT pg_catalog.pg_is_in_recovery()', options)
  if (standby === 't') {
    const meaning = 'the server is a standby, and only reads'
    problems.push(bad('server', answer, 'restore-failed', meaning, 'restore into its primary'))
  }
  const { localeProvider: provider } = manifest.database
  const since = { libc: 13, icu: 15, builtin: 17 }[provider]
  if ((way === 'new' || way === 'in-place') && Number(here) < since) {
    problems.push(
      bad(
        'server',
        answer,
        'restore-failed',
        `the locale of the database is of the provider ${provider}, which PostgreSQL has since ${since}`,
        `restore into PostgreSQL ${since} or later; or create an empty database with another locale and restore into that`,
      ),
    )
  }
  return problems.length > 0 ? problems : [server]
}

/** Of those that are needed and can be made from what the backup knows of them. */
async function absentRoles(
  connection: Connection,
  needed: ReadonlySet<string>,
  globals: ServerGlobals | undefined,
  options: QueryOptions,
): Promise<Set<string>> {
  const wanted = (globals?.roles ?? []).map(({ name }) => name).filter((name) => needed.has(name))
  if (wanted.length === 0) return new Set()
  const existing = await existingRoles(connection, options)
  return new Set(wanted.filter((name) => !existing.has(name)))
}

async function checkSpace(
  connection: Connection,
  { manifest, plan, target, way }: PreflightSubject,
  ownTablespace: string | undefined,
  options: QueryOptions,
): Promise<PreflightFinding[]> {
  // without definitions nobody knows here in which tablespaces the tables lie
  if (plan.choices.content === 'data-only') return []
  const makesDatabase = way === 'new' || way === 'in-place'
  const { database } = target
  const tablespace =
    ownTablespace ?? (await tablespaceOfDatabase(connection, makesDatabase ? undefined : database, options))
  const freed = way === 'replace' ? await sizeOfDatabase(connection, database, options) : 0
  return checkDiskSpace(connection, neededSpace(plan, manifest), { tablespace, freed }, options)
}

/** In bytes. */
async function sizeOfDatabase(connection: Connection, database: string, options: QueryOptions): Promise<number> {
  const sql = `SELECT pg_catalog.pg_database_size(${quoteLiteral(database)}::pg_catalog.name)`
  const [[size] = []] = await connection.query(sql, options)
  return Number(size)
}

/** Of one that is there, or of the template of a new one. */
async function tablespaceOfDatabase(
  connection: Connection,
  database: string | undefined,
  options: QueryOptions,
): Promise<string> {
  const [[name] = []] = await connection.query(
    `SELECT t.spcname FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t
       ON t.oid OPERATOR(pg_catalog.=) d.dattablespace
     WHERE d.datname OPERATOR(pg_catalog.=) ${quoteLiteral(database ?? 'template0')}`,
    options,
  )
  return name ?? 'pg_default'
}

async function checkThere(
  connection: Connection,
  target: ConnectionTarget,
  way: OverExisting,
  options: QueryOptions,
): Promise<PreflightFinding[]> {
  if (connection.target.database === target.database) return checkExistingDatabase(connection, way, options)
  await using there = await Connection.connect(target, options)
  return await checkExistingDatabase(there, way, options)
}
