import type { Task } from '../core/tasks.ts'
import { type SchemaEntry, referencedTableOf, tableOf } from '../postgres/pg-dump/schema-text.ts'
import { readTokens } from '../postgres/sql/sql-tokens.ts'
import { keyOf } from '../repository/backups/restore-scope.ts'

/** An index or a constraint, with the comments on it. */
interface Build {
  readonly entries: SchemaEntry[]
  readonly type: string
  /** Keys of the table, and of the one that a foreign key refers to; none if the text does not say. */
  readonly tables: readonly string[]
}

export interface BuildOptions {
  /** What fills a table, by the table's key. */
  readonly loads: ReadonlyMap<string, readonly Task[]>
  /** Done when everything is loaded. */
  readonly allLoads: readonly Task[]
  readonly bytesOf: (tableKey: string) => number
  readonly run: (entries: readonly SchemaEntry[], options: Parameters<Task['run']>[0]) => Promise<void>
}

const isBuild = ({ type }: SchemaEntry) => ['INDEX', 'CONSTRAINT', 'FK CONSTRAINT'].includes(type)
const isCommentOnBuild = ({ type, name }: SchemaEntry) => type === 'COMMENT' && /^(INDEX|CONSTRAINT) /.test(name)

/** Where the indexes and constraints end that begin at `start`, and that can be built side by side. */
export function endOfBuilds(entries: readonly SchemaEntry[], start: number): number {
  const belongs = (entry: SchemaEntry, index: number) => isBuild(entry) || (index > start && isCommentOnBuild(entry))
  const end = entries.findIndex((entry, index) => index >= start && !belongs(entry, index))
  return end === -1 ? entries.length : end
}

/**
 * Splits what comes after the data into what may begin while tables are still being filled, and the rest, in its order:
 * the indexes and constraints that it begins with, and foreign keys between tables that these complete.
 */
export function splitAfterData(
  entries: readonly SchemaEntry[],
  isFilled: (tableKey: string) => boolean,
): { early: SchemaEntry[]; rest: SchemaEntry[] } {
  const count = endOfBuilds(entries, 0)
  const early = entries.slice(0, count)
  const later = groupBuilds(entries.slice(count))
  const incomplete = new Set(
    later.flatMap(({ type, tables }) => (type === 'INDEX' || type === 'CONSTRAINT' ? tables : [])),
  )
  const rest: SchemaEntry[] = []
  for (const { type, tables, entries: group } of later) {
    const isReady = type === 'FK CONSTRAINT' && tables.every((table) => isFilled(table) && !incomplete.has(table))
    ;(isReady && tables.length === 2 ? early : rest).push(...group)
  }
  return { early, rest }
}

/**
 * Tasks that build indexes and constraints, those of the largest tables first. None begins before its table is filled,
 * one with expressions not before all are: a function in it may look into other tables. A foreign key waits for whatever
 * is built on its two tables. What locks a table has it for itself, since sessions that wait for a lock do no work.
 */
export function buildTasks(entries: readonly SchemaEntry[], options: BuildOptions): Task[] {
  const { loads, allLoads, bytesOf, run } = options
  const builds = groupBuilds(entries)
  const byTable = Map.groupBy(
    builds.flatMap((build) => build.tables.map((table) => ({ table, build }))),
    ({ table }) => table,
  )
  const tasks = new Map<Build, Task & { needs: Task[] }>()
  for (const build of builds) {
    const [entry] = build.entries
    const isOwn = entry !== undefined && !computes(entry) && build.tables.length > 0
    const filled = build.tables.map((table) => loads.get(table) ?? allLoads)
    const names = build.tables.length > 0 ? build.tables : ['?']
    const isShared = build.type === 'INDEX' && entry?.sql.includes('ALTER TABLE ') === false
    tasks.set(build, {
      needs: isOwn ? filled.flat() : [...allLoads],
      ...(isShared ? { shares: names } : { claims: names }),
      run: (how) => run(build.entries, how),
    })
  }
  for (const [build, task] of tasks) {
    if (build.type !== 'FK CONSTRAINT') continue
    for (const { build: other } of build.tables.flatMap((table) => byTable.get(table) ?? [])) {
      const needed = other.type === 'FK CONSTRAINT' ? undefined : tasks.get(other)
      if (needed) task.needs.push(needed)
    }
  }
  const bytesOfBuild = ({ tables: [table] }: Build) => (table === undefined ? 0 : bytesOf(table))
  return builds.toSorted((a, b) => bytesOfBuild(b) - bytesOfBuild(a)).flatMap((build) => tasks.get(build) ?? [])
}

function groupBuilds(entries: readonly SchemaEntry[]): Build[] {
  const groups: Build[] = []
  for (const entry of entries) {
    const last = groups.at(-1)
    if (last && isCommentOnBuild(entry)) {
      last.entries.push(entry)
      continue
    }
    const tables = [tableOf(entry), entry.type === 'FK CONSTRAINT' ? referencedTableOf(entry) : undefined]
    groups.push({ entries: [entry], type: entry.type, tables: tables.flatMap((table) => (table ? keyOf(table) : [])) })
  }
  return groups
}

/** Whether an index or a constraint is about more than plain columns. */
function computes({ sql }: SchemaEntry): boolean {
  let parentheses = 0
  for (const { kind, text } of readTokens(sql)) {
    if (kind === 'word' && text === 'WHERE') return true
    if (kind !== 'symbol') continue
    parentheses += text === '(' ? 1 : text === ')' ? -1 : 0
    if (parentheses > 1) return true
  }
  return false
}
