import { type DatabaseProperties, grantStatements, settingClause } from '../catalog/database.ts'
import { quoteIdentifier, quoteLiteral } from './quote.ts'

/** For a server of this version; an undefined owner means whoever runs it. */
export function createDatabaseStatement(
  name: string,
  properties: DatabaseProperties,
  { owner, tablespaces }: { readonly owner: string | undefined; readonly tablespaces: boolean },
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
 * disturb the load. `roles` are those that exist; others are passed over.
 */
export function databasePropertyStatements(
  name: string,
  properties: DatabaseProperties,
  options: { readonly owner: string | undefined; readonly privileges: boolean; readonly roles: ReadonlySet<string> },
): string[] {
  const settings = properties.settings.filter(({ role }) => role === null || options.roles.has(role))
  const grants = properties.grants?.filter(({ grantee }) => grantee === null || options.roles.has(grantee)) ?? null
  return [
    ...databaseCommentStatements(name, properties),
    ...databaseSettingStatements(name, { ...properties, settings }),
    ...(options.privileges && options.owner !== undefined
      ? databasePrivilegeStatements(name, { owner: options.owner, grants })
      : []),
    ...databaseLimitStatements(name, properties),
  ]
}

export function databaseCommentStatements(name: string, { comment }: DatabaseProperties): string[] {
  return comment === null ? [] : [`COMMENT ON DATABASE ${quoteIdentifier(name)} IS ${quoteLiteral(comment)}`]
}

export function databaseSettingStatements(name: string, { settings }: DatabaseProperties): string[] {
  const database = quoteIdentifier(name)
  return settings.map((setting) =>
    setting.role === null
      ? `ALTER DATABASE ${database} ${settingClause(setting.name, setting.value)}`
      : `ALTER ROLE ${quoteIdentifier(setting.role)} IN DATABASE ${database} ${settingClause(setting.name, setting.value)}`,
  )
}

export function databasePrivilegeStatements(
  name: string,
  { owner, grants }: Pick<DatabaseProperties, 'owner' | 'grants'>,
): string[] {
  return grants === null ? [] : grantStatements(`DATABASE ${quoteIdentifier(name)}`, owner, grants)
}

export function databaseLimitStatements(name: string, properties: DatabaseProperties): string[] {
  const database = quoteIdentifier(name)
  return [
    ...(properties.connectionLimit === -1
      ? []
      : [`ALTER DATABASE ${database} CONNECTION LIMIT ${properties.connectionLimit}`]),
    ...(properties.isTemplate ? [`ALTER DATABASE ${database} IS_TEMPLATE true`] : []),
  ]
}
