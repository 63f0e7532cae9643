import { ownershipOf } from '../postgres/pg-dump/schema-subject.ts'
import { type SchemaEntry, nameOf, tableOf, withoutOwner } from '../postgres/pg-dump/schema-text.ts'
import { readTokens } from '../postgres/sql/sql-tokens.ts'
import type { Manifest } from '../repository/backups/manifest.ts'
import type { RestorePlan } from '../repository/backups/restore-plan.ts'
import { archiveDependencies } from './archive-dependencies.ts'
import { isRelation } from './archive-objects.ts'
import type { TocEntry } from './archive-toc.ts'
import { databaseItems } from './database-items.ts'
import { dropStatement } from './drop-statement.ts'
import { type ExportItem, exportItems, onOneLine, tolerantStatement } from './export-items.ts'
import { dataSettings, emptySearchPath, textEncoding } from './session-preamble.ts'

/**
 * A plan as a table of contents, in pg_dump's order: a section is a stretch of the list, and privileges and comments
 * belong to the one they stand in.
 */
export function archiveEntries(manifest: Manifest, plan: RestorePlan): TocEntry[] {
  const settings = settingEntries(manifest)
  const items = exportItems(manifest, plan)
  const inOrder = [items.beforeData, items.data, items.afterData, items.privileges, items.last].flat()
  const numbered = [...databaseItems(manifest, plan), ...inOrder].map((item, index) => ({
    ...item,
    id: settings.length + 1 + index,
  }))
  const dependencies = archiveDependencies(numbered)
  const idsBefore = ({ id }: { id: number }) => dependencies.get(id) ?? []
  const late = new Set(numbered.filter(({ section }) => section === 'post-data').map(({ id }) => id))
  const rank = (item: (typeof numbered)[number]) => {
    if (item.section !== 'none') return ranks[item.section]
    return idsBefore(item).some((id) => late.has(id)) ? ranks['post-data'] : ranks['pre-data']
  }
  const schemaNamed = exactSchemas(manifest)
  return [
    ...settings,
    ...numbered
      .toSorted((a, b) => rank(a) - rank(b))
      .map((item) => tocEntry(item, item.id, idsBefore(item), schemaNamed)),
  ]
}

const ranks = { 'pre-data': 0, data: 1, 'post-data': 2 } as const

/** Three entries that pg_restore reads rather than runs: the state of each of its sessions. */
function settingEntries(manifest: Manifest): TocEntry[] {
  return [
    ['ENCODING', `SET client_encoding = '${textEncoding(manifest)}';\n`] as const,
    ['STDSTRINGS', "SET standard_conforming_strings = 'on';\n"] as const,
    // it is run as it is, so that there is room for what the rows need
    ['SEARCHPATH', `${[emptySearchPath, ...dataSettings].join('\n')}\n`] as const,
  ].map(([name, definition], index) => ({
    id: index + 1,
    description: name,
    tag: name,
    section: 'pre-data',
    definition,
    drop: '',
    copy: null,
    namespace: null,
    tablespace: null,
    accessMethod: null,
    owner: '',
    dependencies: [],
    data: undefined,
  }))
}

function tocEntry(
  item: ExportItem,
  id: number,
  dependencies: readonly number[],
  schemaNamed: (header: string) => string,
): TocEntry {
  const { entry, section, optional, data } = item
  const common = {
    id,
    description: entry.type,
    section,
    namespace: entry.schema === undefined ? null : schemaNamed(entry.schema),
    owner: entry.owner ?? '',
    dependencies,
    data,
  }
  const plain = { tag: entry.name, drop: '', copy: null, tablespace: null, accessMethod: null }
  if (typeof data === 'object') {
    return { ...plain, ...common, definition: rootComment(data.table), copy: `${entry.sql}\n` }
  }
  if (section === 'data') return { ...plain, ...common, definition: entry.sql === '' ? '' : `${entry.sql}\n` }
  if (optional) return { ...plain, ...common, definition: `${tolerantStatement(entry)}\n`, owner: '' }
  return { ...common, ...objectParts(entry) }
}

/** What pg_restore puts together again, or leaves out, as its options want it: --no-owner, --no-tablespaces, --clean. */
function objectParts(
  entry: SchemaEntry,
): Pick<TocEntry, 'tag' | 'definition' | 'drop' | 'copy' | 'tablespace' | 'accessMethod' | 'owner'> {
  const { type, defaults } = entry
  const ownership = ownershipOf(entry)
  const { sql } = ownership ? withoutOwner(entry) : entry
  // of the schema "public" only the owner is to be another: initdb makes it
  const isThere = sql === ''
  const hasStorage = type === 'TABLE' || type === 'MATERIALIZED VIEW'
  const mayHaveTablespace = hasStorage || type === 'INDEX' || type === 'CONSTRAINT'
  return {
    tag: exactName(entry, ownership?.name),
    definition: isThere ? '-- *not* creating it, since it is there\n' : `${sql}\n`,
    drop: isThere ? '-- *not* dropping it, since it is there\n' : dropStatement(entry, ownership),
    copy: null,
    tablespace: mayHaveTablespace ? unquoted(defaults.tablespace) : null,
    accessMethod: hasStorage && defaults.accessMethod !== undefined ? unquoted(defaults.accessMethod) : null,
    owner: ownership?.owner ?? entry.owner ?? '',
  }
}

/** So that pg_restore does not empty the table first: rows of other items may be in it. */
function rootComment({ loadVia }: { readonly loadVia?: unknown }): string {
  return loadVia === undefined ? '' : '-- load via partition root '
}

/** Headers have no line breaks; the statements do. */
function exactName(entry: SchemaEntry, owned: string | undefined): string {
  const candidates = [owned, isRelation(entry) ? tableOf(entry)?.name : undefined]
  return candidates.find((name) => name !== undefined && onOneLine(name) === entry.name) ?? entry.name
}

function exactSchemas({ tables, tablesWithoutData, sequences, materializedViews }: Manifest) {
  const names = [...tables, ...tablesWithoutData, ...sequences, ...materializedViews].map(({ schema }) => schema)
  const exact = new Map(names.map((name) => [onOneLine(name), name]))
  return (header: string) => exact.get(header) ?? header
}

/** A name or `''`, as a setting's value in SQL. */
function unquoted(sql = "''"): string {
  const [token] = readTokens(sql)
  return !token || token.kind === 'string' ? '' : nameOf(token)
}
