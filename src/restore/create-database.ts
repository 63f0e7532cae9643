import { type DatabaseProperties, grantStatements, settingClause } from '../postgres/catalog-database.ts'
import type { Connection } from '../postgres/connection.ts'
import { sqlStateOf } from '../postgres/postgres-error.ts'
import { quoteIdentifier, quoteLiteral } from '../postgres/quote.ts'

export interface CreateOptions {
  /** undefined: whoever connects owns it. */
  readonly owner: string | undefined
  readonly tablespaces: boolean
  /** When the server does not know the locale: use C and say so, rather than fail. For proofs, where only content counts. */
  readonly onUnknownLocale?: ((locale: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Creates an empty database with the encoding and the locale that the manifest names. */
export async function createDatabase(
  connection: Connection,
  name: string,
  properties: DatabaseProperties,
  options: CreateOptions,
): Promise<void> {
  try {
    await connection.execute(
      createDatabaseStatement(name, properties, options, connection.serverVersionNumber),
      options,
    )
  } catch (error) {
    // 42809 wrong_object_type and 22023 invalid_parameter_value: "invalid locale name", "could not open collator"
    const unknown = ['42809', '22023', '0A000'].includes(sqlStateOf(error) ?? '')
    if (!unknown || !options.onUnknownLocale) throw error
    options.onUnknownLocale(properties.locale ?? properties.collate)
    const withoutLocale = { ...properties, localeProvider: 'libc', collate: 'C', ctype: 'C' } as const
    await connection.execute(
      createDatabaseStatement(name, withoutLocale, options, connection.serverVersionNumber),
      options,
    )
  }
}

export function createDatabaseStatement(
  name: string,
  properties: DatabaseProperties,
  { owner, tablespaces }: Pick<CreateOptions, 'owner' | 'tablespaces'>,
  serverVersionNumber: number,
): string {
  return [
    `CREATE DATABASE ${quoteIdentifier(name)} WITH TEMPLATE template0 ENCODING ${quoteLiteral(properties.encoding)}`,
    ...localeClauses(properties, serverVersionNumber),
    ...(owner === undefined ? [] : [`OWNER ${quoteIdentifier(owner)}`]),
    ...(tablespaces && properties.tablespace !== 'pg_default'
      ? [`TABLESPACE ${quoteIdentifier(properties.tablespace)}`]
      : []),
  ].join(' ')
}

function localeClauses(properties: DatabaseProperties, serverVersionNumber: number): string[] {
  const { localeProvider, collate, ctype, locale, icuRules } = properties
  const clauses = [`LC_COLLATE ${quoteLiteral(collate)}`, `LC_CTYPE ${quoteLiteral(ctype)}`]
  if (serverVersionNumber < 150000) return clauses
  clauses.push(`LOCALE_PROVIDER ${localeProvider}`)
  if (localeProvider === 'icu') clauses.push(`ICU_LOCALE ${quoteLiteral(locale ?? '')}`)
  if (localeProvider === 'icu' && icuRules !== null) clauses.push(`ICU_RULES ${quoteLiteral(icuRules)}`)
  if (localeProvider === 'builtin') clauses.push(`BUILTIN_LOCALE ${quoteLiteral(locale ?? '')}`)
  return clauses
}

/** The same properties with other roles. */
export function mapDatabaseRoles(
  properties: DatabaseProperties,
  roles: ReadonlyMap<string, string>,
): DatabaseProperties {
  const map = (role: string) => roles.get(role) ?? role
  const mapOrNull = (role: string | null) => (role === null ? null : map(role))
  return {
    ...properties,
    owner: map(properties.owner),
    grants: properties.grants?.map((grant) => ({ ...grant, grantee: mapOrNull(grant.grantee) })) ?? null,
    settings: properties.settings.map((setting) => ({ ...setting, role: mapOrNull(setting.role) })),
  }
}

/**
 * What comes last, when the contents are in place: a setting such as default_transaction_read_only or array_nulls would
 * disturb the load.
 */
export function databasePropertyStatements(
  name: string,
  properties: DatabaseProperties,
  options: { readonly owner: string | undefined; readonly privileges: boolean; readonly roles: ReadonlySet<string> },
): string[] {
  const database = quoteIdentifier(name)
  const settings = properties.settings.filter(({ role }) => role === null || options.roles.has(role))
  return [
    ...(properties.comment === null ? [] : [`COMMENT ON DATABASE ${database} IS ${quoteLiteral(properties.comment)}`]),
    ...settings.map((setting) =>
      setting.role === null
        ? `ALTER DATABASE ${database} ${settingClause(setting.name, setting.value)}`
        : `ALTER ROLE ${quoteIdentifier(setting.role)} IN DATABASE ${database} ${settingClause(setting.name, setting.value)}`,
    ),
    ...(options.privileges && options.owner !== undefined && properties.grants !== null
      ? grantStatements(
          `DATABASE ${database}`,
          options.owner,
          properties.grants.filter(({ grantee }) => grantee === null || options.roles.has(grantee)),
        )
      : []),
    ...(properties.connectionLimit === -1
      ? []
      : [`ALTER DATABASE ${database} CONNECTION LIMIT ${properties.connectionLimit}`]),
    ...(properties.isTemplate ? [`ALTER DATABASE ${database} IS_TEMPLATE true`] : []),
  ]
}
