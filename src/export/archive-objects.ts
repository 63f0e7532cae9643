import { indexSubjectsOf, subjectOf } from '../postgres/pg-dump/schema-subject.ts'
import { type SchemaEntry, tableOf } from '../postgres/pg-dump/schema-text.ts'
import type { QualifiedName } from '../repository/backups/manifest.ts'
import { attachedTo, keyOf } from '../repository/backups/restore-scope.ts'
import { type ExportItem, onOneLine } from './export-items.ts'

export interface NumberedItem extends ExportItem {
  readonly id: number
}

/** An item, and what its text says of other items. */
export interface ArchiveObject {
  readonly id: number
  readonly item: NumberedItem
  /** As `subjectOf` names it. */
  readonly subject: string | undefined
  /** The key of the table that it is or belongs to, or whose rows it is. */
  readonly table: string | undefined
  /** As `indexSubjectsOf` names them. */
  readonly indexes: readonly string[]
}

/** It has no life of its own: a comment, a label, a privilege. */
export const isAbout = ({ type }: SchemaEntry) => /^(ACL|COMMENT|SECURITY LABEL)$/.test(type)
export const isRelation = ({ type }: SchemaEntry) => /^(TABLE|(MATERIALIZED )?VIEW|FOREIGN TABLE)$/.test(type)

/** The items of an archive, to be found by what others call them; tables by their keys. */
export class ArchiveObjects {
  readonly all: readonly ArchiveObject[]
  /** In the order in which they are loaded. */
  readonly extensionData: readonly number[]
  readonly #bySubject = new Map<string, number>()
  readonly #relations = new Map<string, number>()
  readonly #sequences = new Map<string, number>()
  readonly #privileges = new Map<string, number>()
  /** Who loads rows into a table: its own item, and those that go through it as the root of partitions. */
  readonly #loads = new Map<string, number[]>()
  readonly #roots = new Map<string, string>()
  readonly #partitions = new Map<string, string[]>()
  /** Indexes and constraints with one. */
  readonly #builds = new Map<string, Pick<ArchiveObject, 'id' | 'indexes'>[]>()
  /** What joins a partitioned index, by that index. */
  readonly #attached = new Map<string, { readonly id: number; readonly index: string }[]>()
  readonly #partitionedIndexes = new Map<string, string>()

  constructor(items: readonly NumberedItem[]) {
    this.all = items.map(describe)
    this.extensionData = items.filter((item) => tableOfRows(item)?.extension).map(({ id }) => id)
    for (const object of this.all) {
      if (tableOfRows(object.item)) this.#addRows(object)
      else if (isAbout(object.item.entry)) this.#addPrivilege(object)
      else this.#addObject(object)
    }
  }

  subject(name: string | undefined): number | undefined {
    return this.#bySubject.get(name ?? '')
  }

  relation(table: string | undefined): number | undefined {
    return this.#relations.get(table ?? '')
  }

  sequence(entry: SchemaEntry): number | undefined {
    return this.#sequences.get(headerKey(entry))
  }

  /** The item with the table's privileges, as opposed to those of its columns. */
  privilegesOf(table: string): number | undefined {
    return this.#privileges.get(table)
  }

  /** A table and its rows, which may be among those of its siblings. */
  tableWithRows(table: string): (number | undefined)[] {
    return [this.relation(table), ...(this.#loads.get(this.#roots.get(table) ?? table) ?? [])]
  }

  /** The same with all partitions, which have the foreign keys and triggers of the partitioned table. */
  withPartitions(table: string): (number | undefined)[] {
    const partitions = this.#partitions.get(table) ?? []
    return [...this.tableWithRows(table), ...partitions.flatMap((partition) => this.withPartitions(partition))]
  }

  /** What can make the columns of a table unique, with the partitions' part in it. */
  keysOf(table: string): number[] {
    const attached = (index: string): number[] =>
      (this.#attached.get(index) ?? []).flatMap((child) => [child.id, ...attached(child.index)])
    return (this.#builds.get(table) ?? []).flatMap(({ id, indexes }) => [id, ...indexes.flatMap(attached)])
  }

  /** What joins a partitioned index. */
  attachmentsTo(index: string): number[] {
    return (this.#attached.get(index) ?? []).map(({ id }) => id)
  }

  /** The index of the partitioned table that this one will be a part of. */
  partitionedIndex(index: string): number | undefined {
    return this.subject(this.#partitionedIndexes.get(index))
  }

  #addObject({ id, item: { entry }, subject, table, indexes }: ArchiveObject): void {
    const [index, child] = indexes
    if (index !== undefined && child !== undefined) {
      append(this.#attached, index, { id, index: child })
      this.#partitionedIndexes.set(child, index)
      return
    }
    for (const name of [subject, index])
      if (name !== undefined && !this.#bySubject.has(name)) this.#bySubject.set(name, id)
    if (entry.type === 'SEQUENCE') this.#sequences.set(headerKey(entry), id)
    if (table === undefined) return
    if (isRelation(entry) && !this.#relations.has(table)) this.#relations.set(table, id)
    if (index !== undefined) append(this.#builds, table, { id, indexes })
    const parent = entry.type === 'TABLE ATTACH' ? attachedTo(entry) : undefined
    if (parent) append(this.#partitions, keyOf(parent), table)
  }

  #addPrivilege({ id, item: { entry }, table }: ArchiveObject): void {
    if (entry.type === 'ACL' && entry.name.startsWith('TABLE ') && table !== undefined) this.#privileges.set(table, id)
  }

  #addRows({ id, item, table = '' }: ArchiveObject): void {
    const root = tableOfRows(item)?.loadVia
    append(this.#loads, root ? keyOf(root) : table, id)
    if (root) this.#roots.set(table, keyOf(root))
  }
}

export function tableOfRows({ data }: ExportItem) {
  return typeof data === 'object' ? data.table : undefined
}

function describe(item: NumberedItem): ArchiveObject {
  const { id, entry, section } = item
  const rows = tableOfRows(item)
  if (section === 'data') return { id, item, subject: undefined, table: rows && keyOf(rows), indexes: [] }
  const table = tableOf(entry)
  const indexes = /^(CONSTRAINT|INDEX|INDEX ATTACH)$/.test(entry.type) ? indexSubjectsOf(entry) : []
  return { id, item, subject: subjectOf(entry), table: table && keyOf(table), indexes }
}

/** Names as they stand in pg_dump's headers. */
function headerKey({ schema = '', name }: SchemaEntry): string {
  return keyOf({ schema: onOneLine(schema), name: onOneLine(name) } satisfies QualifiedName)
}

function append<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const values = map.get(key)
  if (values) values.push(value)
  else map.set(key, [value])
}
