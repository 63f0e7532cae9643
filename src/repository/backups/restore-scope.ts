import { AppError } from '../../core/app-error.ts'
import { markSchema } from '../../postgres/catalog/unfinished-mark.ts'
import { patternParts } from '../../postgres/sql/name-pattern.ts'
import { type SchemaEntry, referencedTableOf, tableOf } from '../../postgres/pg-dump/schema-text.ts'
import type { Manifest, QualifiedName } from './manifest.ts'

/** Which part of a backup is restored. */
export interface RestoreScope {
  readonly whole: boolean
  includes(entry: SchemaEntry): boolean
  includesTable(table: QualifiedName): boolean
  includesSequence(sequence: QualifiedName): boolean
  /** Whether its failure is no failure of the restore: it is no part of what was asked for, and may just help. */
  isHelper(entry: SchemaEntry): boolean
  /** What was asked for and can not be had, in words. */
  readonly notes: readonly string[]
}

interface Patterns {
  readonly tables: readonly string[]
  readonly schemas: readonly string[]
}

/**
 * Tables that the patterns choose come with all that hangs on them: partitions, indexes, constraints, triggers, sequences,
 * privileges, comments. Types, functions and the like come along, so that the tables can be made; views, if they can.
 */
export function chooseScope(manifest: Manifest, entries: readonly SchemaEntry[], patterns: Patterns): RestoreScope {
  if (patterns.tables.length > 0 || patterns.schemas.length > 0) return new PartialScope(manifest, entries, patterns)
  const included = new Set(withoutLooseParts(entries))
  const notes = entries.flatMap((entry) => {
    const table = entry.type === 'TABLE ATTACH' && !included.has(entry) ? attachedTo(entry) : undefined
    return table ? [absenceNote(entry, table)] : []
  })
  const yes = () => true
  const includes = (entry: SchemaEntry) => included.has(entry)
  return { whole: true, notes, includes, includesTable: yes, includesSequence: yes, isHelper: () => false }
}

/** What a foreign key or a partition lacks. */
function absenceNote({ type, name }: SchemaEntry, other: QualifiedName): string {
  const what = type === 'FK CONSTRAINT' ? 'foreign key' : 'the place as a partition of'
  return `${what} ${name} is left out: ${other.schema}.${other.name} is not restored`
}

export const keyOf = ({ schema, name }: QualifiedName) => JSON.stringify([schema, name])

const relationTypes = /^(TABLE|VIEW|MATERIALIZED VIEW|FOREIGN TABLE)$/
const sequenceTypes = /^SEQUENCE( OWNED BY)?$/
/** Of the database as a whole. */
const databaseWide = /^(PUBLICATION.*|SUBSCRIPTION.*|EVENT TRIGGER|DATABASE.*|DEFAULT ACL)$/

class PartialScope implements RestoreScope {
  readonly whole = false
  readonly notes: string[] = []
  readonly #entries: readonly SchemaEntry[]
  /** Keys of tables, views and materialized views. */
  readonly #relations = new Set<string>()
  /** Those of them that are tables: what is chosen must succeed. */
  readonly #tables = new Set<string>()
  readonly #sequences = new Set<string>()
  readonly #indexes = new Set<string>()
  readonly #included: ReadonlySet<SchemaEntry>

  constructor(manifest: Manifest, entries: readonly SchemaEntry[], patterns: Patterns) {
    this.#entries = entries
    const tablePatterns = patterns.tables.map(compilePattern)
    const schemaPatterns = patterns.schemas.map(compilePattern)
    const matches = (item: QualifiedName) =>
      tablePatterns.some((pattern) => pattern.matchesTable(item)) ||
      schemaPatterns.some((pattern) => pattern.matchesSchema(item.schema))
    const tables = [...manifest.tables, ...manifest.tablesWithoutData]
    const candidates = [
      ...tables,
      ...manifest.materializedViews,
      ...entries.filter(({ type }) => relationTypes.test(type)).flatMap((entry) => tableOf(entry) ?? []),
    ]
    for (const item of candidates) if (matches(item)) this.#relations.add(keyOf(item))
    if (this.#relations.size === 0) {
      throw new AppError('selection-empty', 'no table of this backup matches the --table and --schema patterns', {
        hint: '"pgrevive show BACKUP --tables" lists them; a name without a schema matches in every schema',
      })
    }
    this.#addPartitions()
    for (const item of tables) if (this.#relations.has(keyOf(item))) this.#tables.add(keyOf(item))
    for (const entry of entries.filter(({ type }) => type === 'TABLE')) {
      const table = tableOf(entry)
      if (table && this.#relations.has(keyOf(table))) this.#tables.add(keyOf(table))
    }
    this.#addSequences()
    for (const sequence of manifest.sequences) if (matches(sequence)) this.#sequences.add(keyOf(sequence))
    this.#addIndexes()
    this.#included = new Set(entries.filter((entry) => this.#belongs(entry)))
  }

  includes(entry: SchemaEntry): boolean {
    return this.#included.has(entry)
  }

  includesTable(table: QualifiedName): boolean {
    return this.#relations.has(keyOf(table))
  }

  includesSequence(sequence: QualifiedName): boolean {
    return this.#sequences.has(keyOf(sequence))
  }

  isHelper(entry: SchemaEntry): boolean {
    if (sequenceTypes.test(entry.type) || entry.type === 'INDEX ATTACH') return false
    const table = tableOf(entry)
    return !table || !this.#tables.has(keyOf(table))
  }

  #belongs(entry: SchemaEntry): boolean {
    if (databaseWide.test(entry.type)) return false
    if (entry.type === 'SEQUENCE') return this.#sequences.has(keyOf({ schema: entry.schema ?? '', name: entry.name }))
    if (entry.type === 'SEQUENCE OWNED BY') return this.#belongsToChosen(entry)
    if (entry.type === 'INDEX ATTACH') {
      return indexNames(entry).every((index) => this.#indexes.has(keyOf(index)))
    }
    if (tableOf(entry)) return this.#belongsToChosen(entry) && this.#hasOtherSide(entry)
    const [, kind, object] = /^(SEQUENCE|INDEX) (.*)$/s.exec(entry.name) ?? []
    if (kind !== undefined && object !== undefined && /^(ACL|COMMENT|SECURITY LABEL)$/.test(entry.type)) {
      const names = kind === 'INDEX' ? this.#indexes : this.#sequences
      return names.has(keyOf({ schema: entry.schema ?? '', name: object }))
    }
    return true
  }

  #belongsToChosen(entry: SchemaEntry): boolean {
    const table = tableOf(entry)
    return table !== undefined && this.#relations.has(keyOf(table))
  }

  /** A foreign key needs the table that it refers to, and a partition's place needs the partitioned table. */
  #hasOtherSide(entry: SchemaEntry): boolean {
    const other =
      entry.type === 'FK CONSTRAINT'
        ? referencedTableOf(entry)
        : entry.type === 'TABLE ATTACH'
          ? attachedTo(entry)
          : undefined
    if (!other || this.#relations.has(keyOf(other))) return true
    this.notes.push(absenceNote(entry, other))
    return false
  }

  /** Choosing a partitioned table chooses its partitions. */
  #addPartitions(): void {
    const attached = this.#entries.filter(({ type }) => type === 'TABLE ATTACH')
    for (let before = -1; before !== this.#relations.size;) {
      before = this.#relations.size
      for (const entry of attached) {
        const [parent, partition] = [attachedTo(entry), tableOf(entry)]
        if (parent && partition && this.#relations.has(keyOf(parent))) this.#relations.add(keyOf(partition))
      }
    }
  }

  /** The sequences that chosen tables own or draw their defaults from. */
  #addSequences(): void {
    for (const entry of this.#entries) {
      if (!this.#belongsToChosen(entry)) continue
      if (entry.type === 'SEQUENCE') this.#sequences.add(keyOf({ schema: entry.schema ?? '', name: entry.name }))
      if (entry.type === 'SEQUENCE OWNED BY') {
        const owned = nameFrom(entry.sql, new RegExp(`^ALTER SEQUENCE ${qualified} OWNED BY`))
        if (owned) this.#sequences.add(keyOf(owned))
      }
      if (entry.type !== 'DEFAULT' && entry.type !== 'TABLE') continue
      for (const [, literal = ''] of entry.sql.matchAll(/nextval\('((?:[^']|'')+)'::regclass\)/g)) {
        const name = nameFrom(literal.replaceAll("''", "'"), new RegExp(`^${qualified}$`))
        if (name) this.#sequences.add(keyOf(name))
      }
    }
  }

  #addIndexes(): void {
    for (const entry of this.#entries) {
      const index = this.#belongsToChosen(entry) ? indexOf(entry, tableOf(entry)) : undefined
      if (index) this.#indexes.add(keyOf(index))
    }
  }
}

const identifier = String.raw`("(?:[^"]|"")+"|[^\s".(),;]+)`
const qualified = String.raw`${identifier}\.${identifier}`

function nameFrom(sql: string, pattern: RegExp): QualifiedName | undefined {
  const match = pattern.exec(sql)
  return match?.[1] && match[2] ? { schema: unquote(match[1]), name: unquote(match[2]) } : undefined
}

function unquote(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name
}

/**
 * Without what makes tables and indexes parts of others that are not there: a backup of a partition alone has none of the
 * partitioned table, and pg_dump attaches it all the same.
 */
export function withoutLooseParts(entries: readonly SchemaEntry[]): readonly SchemaEntry[] {
  if (!entries.some(({ type }) => type === 'TABLE ATTACH' || type === 'INDEX ATTACH')) return entries
  const tables = new Set<string>()
  const indexes = new Set<string>()
  for (const entry of entries) {
    const table = tableOf(entry)
    if (entry.type === 'TABLE' && table) tables.add(keyOf(table))
    const index = indexOf(entry, table)
    if (index) indexes.add(keyOf(index))
  }
  return entries.filter((entry) => {
    const parent = entry.type === 'TABLE ATTACH' ? attachedTo(entry) : undefined
    if (parent && !tables.has(keyOf(parent))) return false
    return entry.type !== 'INDEX ATTACH' || indexNames(entry).every((index) => indexes.has(keyOf(index)))
  })
}

/** Without the mark of an unfinished restore, which an older backup may hold; a schema with something in it is none. */
export function withoutUnfinishedMark(entries: readonly SchemaEntry[]): readonly SchemaEntry[] {
  const isInIt = ({ type, schema, sql }: SchemaEntry) =>
    schema === markSchema || (type === 'EXTENSION' && sql.includes(markSchema))
  if (entries.some(isInIt)) return entries
  return entries.filter(
    ({ type, name }) =>
      !(type === 'SCHEMA' && name === markSchema) &&
      !(/^(ACL|COMMENT|SECURITY LABEL)$/.test(type) && name === `SCHEMA ${markSchema}`),
  )
}

/** Of an INDEX or a constraint that has one: an index of a constraint has its name, which the header has after the table's. */
function indexOf(entry: SchemaEntry, table: QualifiedName | undefined): QualifiedName | undefined {
  const schema = entry.schema ?? ''
  if (entry.type === 'INDEX') return { schema, name: entry.name }
  return entry.type === 'CONSTRAINT' && table ? { schema, name: entry.name.slice(table.name.length + 1) } : undefined
}

/** Of a TABLE: those that it is a child of. */
export function parentsOf({ type, sql }: SchemaEntry): QualifiedName[] {
  const [, list] = (type === 'TABLE' && /\n\)\nINHERITS \((.*)\)/.exec(sql)) || []
  return [...(list ?? '').matchAll(new RegExp(qualified, 'g'))].flatMap(
    ([name]) => nameFrom(name, new RegExp(qualified)) ?? [],
  )
}

/** Of a TABLE ATTACH: the partitioned table; `tableOf` tells the partition. */
export function attachedTo(entry: SchemaEntry): QualifiedName | undefined {
  return nameFrom(entry.sql, new RegExp(`^ALTER TABLE ONLY ${qualified} ATTACH PARTITION`))
}

/** What tells the partitions of a table, theirs after each. */
export function partitionsIn(entries: readonly SchemaEntry[]): (table: QualifiedName) => QualifiedName[] {
  const attached = entries.flatMap((entry) => {
    const [parent, child] = entry.type === 'TABLE ATTACH' ? [attachedTo(entry), tableOf(entry)] : []
    return parent && child ? [{ parent, child }] : []
  })
  const byParent = Map.groupBy(attached, ({ parent }) => keyOf(parent))
  const partitionsOf = (table: QualifiedName): QualifiedName[] =>
    (byParent.get(keyOf(table)) ?? []).flatMap(({ child }) => [child, ...partitionsOf(child)])
  return partitionsOf
}

/** Of an INDEX ATTACH: the partitioned index and the one that joins it. */
function indexNames(entry: SchemaEntry): QualifiedName[] {
  const parent = nameFrom(entry.sql, new RegExp(`^ALTER INDEX ${qualified} ATTACH PARTITION`))
  const child = nameFrom(entry.sql, new RegExp(`ATTACH PARTITION ${qualified}`))
  return [parent, child].filter((name) => name !== undefined)
}

function compilePattern(pattern: string) {
  const [first, second] = patternParts(pattern).map((regex) => {
    try {
      return new RegExp(`^(?:${regex})$`, 's')
    } catch (cause) {
      throw new AppError('usage-invalid', `the pattern ${JSON.stringify(pattern)} is not one`, {
        cause,
        hint: 'patterns are those of pg_dump: schema.table, with * and ?, odd names in double quotes',
      })
    }
  })
  return {
    matchesSchema: (schema: string) => first?.test(schema) === true,
    matchesTable: ({ schema, name }: QualifiedName) =>
      second ? first?.test(schema) === true && second.test(name) : first?.test(name) === true,
  }
}
