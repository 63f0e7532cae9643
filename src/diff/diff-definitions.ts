import type { DatabaseProperties } from '../postgres/catalog/database.ts'
import { changedEntries } from '../postgres/pg-dump/schema-changes.ts'
import { type SchemaEntry, statementsOf } from '../postgres/pg-dump/schema-text.ts'
import type { Extension, Manifest } from '../repository/backups/manifest.ts'
import { type Change, type ValueDiff, diffValues, pair } from './value-diff.ts'
import { unifiedDiff } from './unified-diff.ts'

export type ExtensionDiff = { readonly name: string } & ValueDiff<Pick<Extension, 'version' | 'schema'>>
export type PropertyDiff = { readonly name: string } & ValueDiff<string>

export interface SchemaDiff {
  /** How many there are on the one side or the other. */
  readonly entries: number
  readonly changes: readonly {
    /** `TABLE public.orders` */
    readonly title: string
    readonly change: Change
    /** Of its statements, unified. */
    readonly lines: readonly string[]
  }[]
}

/** pg_dump's text does not name their versions. */
export function diffExtensions(before: Manifest, after: Manifest): ExtensionDiff[] {
  const stateOf = (extension: Extension | undefined) =>
    extension && { version: extension.version, schema: extension.schema }
  return pair(before.extensions, after.extensions, ({ name }) => name).map(({ item, before: old, after: young }) => ({
    name: item.name,
    ...diffValues(stateOf(old), stateOf(young)),
  }))
}

const hidden = '(value not shown)'

/** What CREATE DATABASE and ALTER DATABASE say; it is in no schema text. */
export function diffProperties(before: Manifest, after: Manifest): PropertyDiff[] {
  const [was, is] = [propertiesOf(before.database), propertiesOf(after.database)]
  return pair(was, is, ({ name }) => name).map(({ item: { name, secret }, before: old, after: young }) => {
    const found = diffValues(old?.value, young?.value)
    if (!secret) return { name, ...found }
    return { name, change: found.change, before: old ? hidden : null, after: young ? hidden : null }
  })
}

function propertiesOf(database: DatabaseProperties) {
  const { name: _, grants, settings, ...others } = database
  const properties = Object.entries(others).flatMap(([name, value]) =>
    value === null ? [] : [{ name, value: String(value), secret: false }],
  )
  const privileges = grants?.map(({ grantee, privilege, grantable }) => JSON.stringify([grantee, privilege, grantable]))
  if (privileges) properties.push({ name: 'privileges', value: privileges.toSorted().join(' '), secret: false })
  for (const { role, name, value } of settings) {
    // applications keep secrets in settings of their own
    const secret = name.includes('.')
    properties.push({ name: `setting ${name}${role === null ? '' : ` of role ${role}`}`, value, secret })
  }
  return properties
}

export function diffSchemas(before: readonly SchemaEntry[], after: readonly SchemaEntry[]): SchemaDiff {
  const changes = changedEntries(before, after, statementsOf).map(({ title, before: old, after: young }) => {
    const change: Change = old.length === 0 ? 'added' : young.length === 0 ? 'dropped' : 'changed'
    const textOf = change === 'changed' ? statementsOf : ({ sql }: SchemaEntry) => sql
    const [was = '', is = ''] = [old, young].map((entries) => entries.map(textOf).toSorted().join('\n\n'))
    return { title, change, lines: unifiedDiff(was, is) }
  })
  return { entries: before.length + changes.filter(({ change }) => change === 'added').length, changes }
}
