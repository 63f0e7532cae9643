import { referencedTableOf } from '../postgres/pg-dump/schema-text.ts'
import { keyOf } from '../repository/backups/restore-scope.ts'
import { type ArchiveObject, ArchiveObjects, type NumberedItem, isAbout, tableOfRows } from './archive-objects.ts'

/**
 * The ids that must be done before an item is, by its id, as far as pg_restore asks: it runs all items before the data in
 * their order, and then, with several jobs, what depends on nothing that is not yet done. The backup knows no
 * dependencies, so they are found in the text: exactly for what takes long, by the order of the items for the rest.
 */
export function archiveDependencies(items: readonly NumberedItem[]): ReadonlyMap<number, readonly number[]> {
  const objects = new ArchiveObjects(items)
  const order = new RestoreOrder(objects)
  return new Map(
    objects.all.map((object) => {
      const ids = new Set(order.before(object).filter((id) => id !== undefined))
      ids.delete(object.id)
      return [object.id, [...ids]]
    }),
  )
}

type Ids = readonly (number | undefined)[]

/** Asked about one object after the other, in the order of a restore. */
class RestoreOrder {
  readonly #objects: ArchiveObjects
  /** The last item that everything after it waits for, and the items since then. */
  #barrier: number | undefined
  #sinceBarrier: number[] = []
  #lastView: number | undefined
  #previous: ArchiveObject | undefined

  constructor(objects: ArchiveObjects) {
    this.#objects = objects
  }

  before(object: ArchiveObject): Ids {
    const { entry, section } = object.item
    if (isAbout(entry)) return this.#beforeAbout(object)
    this.#previous = object
    if (section === 'data') return this.#beforeData(object)
    if (section !== 'post-data' || entry.type === 'DEFAULT ACL') return []
    if (entry.type === 'EVENT TRIGGER') return [this.#lastView]
    if (entry.type === 'MATERIALIZED VIEW DATA') return this.#beforeViewData(object)
    return this.#beforeBuild(object) ?? this.#beforeBarrier(object)
  }

  /** pg_restore takes the first one for the table: with it, a dependency on the table becomes one on its rows. */
  #beforeData({ id, item, table }: ArchiveObject): Ids {
    const { extensionData } = this.#objects
    if (tableOfRows(item)?.extension) return [extensionData[extensionData.indexOf(id) - 1]]
    if (table === undefined) return [this.#objects.sequence(item.entry)]
    const relation = this.#objects.relation(table)
    return relation === undefined ? [] : [relation, extensionData.at(-1)]
  }

  /** Of what may run beside its neighbours; undefined for everything else. */
  #beforeBuild({ id, item: { entry }, table, indexes }: ArchiveObject): Ids | undefined {
    const objects = this.#objects
    const beside = (ids: Ids): Ids => {
      const all = [...ids, this.#barrier]
      this.#sinceBarrier.push(id)
      return all
    }
    if (entry.type === 'INDEX ATTACH') {
      const [parent = '', child = ''] = indexes
      const ids = [objects.subject(parent), objects.subject(child)]
      // from below: a session that completes a part does not see that another completes the whole beside it
      return ids.includes(undefined) ? undefined : beside([...ids, ...objects.attachmentsTo(child)])
    }
    if (table === undefined) return undefined
    if (entry.type === 'FK CONSTRAINT') {
      const referenced = referencedTableOf(entry)
      if (!referenced) return undefined
      const other = keyOf(referenced)
      return beside([...objects.withPartitions(table), ...objects.withPartitions(other), ...objects.keysOf(other)])
    }
    // as in pg_dump, a partitioned index is there before those of the partitions
    const isBuild = entry.type === 'INDEX' || entry.type === 'CONSTRAINT'
    if (!isBuild) return undefined
    return beside([...objects.tableWithRows(table), ...indexes.map((index) => objects.partitionedIndex(index))])
  }

  #beforeBarrier({ id, table }: ArchiveObject): Ids {
    const rows = table === undefined ? [] : this.#objects.withPartitions(table)
    const ids = [...rows, ...this.#sinceBarrier, this.#barrier]
    this.#barrier = id
    this.#sinceBarrier = []
    return ids
  }

  /** One after the other: a view may select from those before it. */
  #beforeViewData({ id, table }: ArchiveObject): Ids {
    const ids = [this.#objects.relation(table), this.#lastView]
    this.#lastView = id
    return ids
  }

  /** pg_restore -t and -n bring a comment back with the item that it depends on. */
  #beforeAbout({ id, item: { entry }, subject, table }: ArchiveObject): Ids {
    const found = this.#objects.subject(subject) ?? this.#objects.relation(table)
    if (entry.type !== 'ACL') {
      // pg_dump prints a comment right behind its object
      const behind = this.#previous?.item.section === 'post-data' ? this.#previous.id : undefined
      return [found ?? behind]
    }
    // a table's own privileges would take those of its columns away
    const ofTable = table === undefined ? undefined : this.#objects.privilegesOf(table)
    return [found, ofTable === id ? undefined : ofTable]
  }
}
