import type { Connection } from '../../postgres/wire/connection.ts'
import type { SchemaEntry } from '../../postgres/pg-dump/schema-text.ts'
import type { Extension } from '../../repository/backups/manifest.ts'
import type { RestorePlan } from '../../repository/backups/restore-plan.ts'
import { existingRoles } from '../target-checks.ts'
import { type PreflightFinding, bad, failureOf, good, note } from './preflight-finding.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

export interface ServerNeeds {
  readonly roles: ReadonlySet<string>
  /** Of `roles`, those that are created before anything needs them. */
  readonly createdRoles: ReadonlySet<string>
  /** Of the database itself. */
  readonly tablespace: string | undefined
  /** Those of the backup, with their versions. */
  readonly extensions: readonly Extension[]
}

/** Whether the server has the roles, tablespaces and extensions that a plan names. */
export async function checkServerObjects(
  connection: Connection,
  plan: RestorePlan,
  needs: ServerNeeds,
  options: QueryOptions = {},
): Promise<PreflightFinding[]> {
  return [
    await checkRoles(connection, needs, options),
    await checkTablespaces(connection, plan, needs, options),
    await checkExtensions(connection, plan, needs, options),
  ]
}

/** Throws `role-missing` and the like for what the server does not have. */
export async function requireServerObjects(
  connection: Connection,
  plan: RestorePlan,
  needs: ServerNeeds,
  options: QueryOptions = {},
): Promise<void> {
  const failure = failureOf(await checkServerObjects(connection, plan, needs, options))
  if (failure) throw failure
}

async function checkRoles(
  connection: Connection,
  { roles, createdRoles }: ServerNeeds,
  options: QueryOptions,
): Promise<PreflightFinding> {
  const existing = await existingRoles(connection, options)
  const absent = [...roles].filter((role) => !existing.has(role))
  const missing = absent.filter((role) => !createdRoles.has(role))
  const answer = `${roles.size - absent.length} of ${roles.size}`
  if (missing.length > 0) {
    return bad(
      'roles',
      answer,
      'role-missing',
      `the server has no role ${listNames(missing)}`,
      'add --create-roles, or --role-map old=new, or --no-owner --no-privileges to own everything yourself',
    )
  }
  if (absent.length > 0) return note('roles', answer, `will be created: ${absent.join(', ')}`)
  return good('roles', answer, roles.size === 0 ? 'none is named' : 'all that own something or have privileges')
}

async function checkTablespaces(
  connection: Connection,
  { beforeData, afterData }: RestorePlan,
  { tablespace }: ServerNeeds,
  options: QueryOptions,
): Promise<PreflightFinding> {
  const rows = await connection.query('SELECT spcname FROM pg_catalog.pg_tablespace', options)
  const existing = new Set(rows.map(([name]) => name))
  const needed = new Set([...beforeData, ...afterData].flatMap((entry) => tablespaceOf(entry) ?? []))
  if (tablespace !== undefined) needed.add(tablespace)
  const missing = [...needed].filter((name) => !existing.has(name))
  const answer = `${needed.size - missing.length} of ${needed.size}`
  if (missing.length === 0) {
    return good('tablespaces', answer, needed.size === 0 ? 'none but the default one is named' : 'all that are named')
  }
  return bad(
    'tablespaces',
    answer,
    'tablespace-missing',
    `the server has no tablespace ${listNames(missing)}`,
    'create them, or add --no-tablespaces to put everything into the default one',
  )
}

async function checkExtensions(
  connection: Connection,
  { beforeData, helpers }: RestorePlan,
  { extensions }: ServerNeeds,
  options: QueryOptions,
): Promise<PreflightFinding> {
  const rows = await connection.query(
    `SELECT a.name, a.default_version, v.superuser AND NOT v.trusted
       AND NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) current_user)
       AND a.installed_version IS NULL
     FROM pg_catalog.pg_available_extensions a LEFT JOIN pg_catalog.pg_available_extension_versions v
       ON v.name OPERATOR(pg_catalog.=) a.name AND v.version OPERATOR(pg_catalog.=) a.default_version`,
    options,
  )
  const available = new Map(rows.map(([name, version, reserved]) => [name, { version, isReserved: reserved === 't' }]))
  const needed = beforeData
    .filter((entry) => entry.type === 'EXTENSION' && !helpers.has(entry))
    .map(({ name }) => ({ name, before: extensions.find((extension) => extension.name === name)?.version }))
  const missing = needed.filter(({ name }) => !available.has(name))
  const answer = `${needed.length - missing.length} of ${needed.length}`
  if (missing.length > 0) {
    return bad(
      'extensions',
      answer,
      'extension-missing',
      `the server does not offer the extension ${listNames(missing.map(({ name }) => name))}`,
      'install its package on the server, then run the same command again',
    )
  }
  const remarks = needed.flatMap(({ name, before }) => {
    const { version, isReserved = false } = available.get(name) ?? {}
    return [
      ...(before !== undefined && version !== before ? [`${name} is ${version} here and was ${before}`] : []),
      ...(isReserved ? [`${name} can only be created by a superuser, unless the host of the server allows it`] : []),
    ]
  })
  if (remarks.length > 0) return note('extensions', answer, remarks.join('; '))
  return good(
    'extensions',
    answer,
    needed.length === 0 ? 'none is needed' : 'all that are needed, in the same versions',
  )
}

/** The name behind the `SET default_tablespace = …` line; undefined for the default one. */
export function tablespaceOf({ defaults: { tablespace = "''" } }: SchemaEntry): string | undefined {
  const name = tablespace.trim()
  if (name === "''") return undefined
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name
}

function listNames(names: readonly string[]): string {
  return names.map((name) => JSON.stringify(name)).join(', ')
}
