import {
  createDatabaseStatement,
  databaseCommentStatements,
  databaseLimitStatements,
  databasePrivilegeStatements,
  databaseSettingStatements,
  mapDatabaseRoles,
} from '../postgres/sql/database-statements.ts'
import { quoteIdentifier } from '../postgres/sql/quote.ts'
import type { Manifest } from '../repository/backups/manifest.ts'
import type { RestorePlan } from '../repository/backups/restore-plan.ts'
import { type ExportItem, plainEntry } from './export-items.ts'

/** The database itself: what pg_restore wants for --create, and leaves out without it. */
export function databaseItems(manifest: Manifest, { choices }: RestorePlan): ExportItem[] {
  if (choices.content === 'data-only') return []
  const properties = mapDatabaseRoles(manifest.database, choices.roleMap)
  const { name, owner } = properties
  // without the clauses of version 15 where they say nothing
  const versionNumber = properties.localeProvider === 'libc' ? 140000 : 150000
  const tablespaces = !choices.noTablespaces
  const item = (type: string, statements: readonly string[]): ExportItem[] => {
    const isAbout = type === 'COMMENT' || type === 'ACL'
    const entry = plainEntry(type, isAbout ? `DATABASE ${name}` : name, statements, { owner })
    return statements.length === 0 ? [] : [{ entry, section: isAbout ? 'none' : 'pre-data', optional: false }]
  }
  return [
    ...item('DATABASE', [
      createDatabaseStatement(name, properties, { owner: undefined, tablespaces }, versionNumber),
      ...(choices.noOwner ? [] : [`ALTER DATABASE ${quoteIdentifier(name)} OWNER TO ${quoteIdentifier(owner)}`]),
    ]),
    ...item('COMMENT', databaseCommentStatements(name, properties)),
    ...item('DATABASE PROPERTIES', [
      ...databaseSettingStatements(name, properties),
      ...databaseLimitStatements(name, properties),
    ]),
    ...item('ACL', choices.noPrivileges || choices.noOwner ? [] : databasePrivilegeStatements(name, properties)),
  ]
}
