import { AppError } from '../core/app-error.ts'
import { patternParts } from '../postgres/name-pattern.ts'
import { type SchemaEntry, mapRoles, rolesOf, splitSchemaText, tableOf, withoutOwner } from '../postgres/schema-text.ts'
import type { Manifest, ManifestTable, QualifiedName, Sequence } from '../repository/manifest.ts'

/** What of a backup is restored, and with whose names. */
export interface RestoreChoices {
  /** pg_dump's patterns; with neither, everything. */
  readonly tables: readonly string[]
  readonly schemas: readonly string[]
  readonly content: 'all' | 'schema-only' | 'data-only'
  readonly noOwner: boolean
  readonly noPrivileges: boolean
  readonly noTablespaces: boolean
  readonly roleMap: ReadonlyMap<string, string>
}

export const restoreEverything: RestoreChoices = {
  tables: [],
  schemas: [],
  content: 'all',
  noOwner: false,
  noPrivileges: false,
  noTablespaces: false,
  roleMap: new Map(),
}

/** What is done in which order; the steps between are data. */
export interface RestorePlan {
  readonly beforeData: readonly SchemaEntry[]
  readonly tables: readonly ManifestTable[]
  readonly sequences: readonly Sequence[]
  readonly largeObjects: Manifest['largeObjects']
  readonly choices: RestoreChoices
  readonly afterData: readonly SchemaEntry[]
  /** Privileges, then what must find them in place: event triggers and materialized views. As pg_restore orders it. */
  readonly last: readonly SchemaEntry[]
  /** Objects that only help the chosen tables; one of them failing is no failure of the restore. */
  readonly helpers: ReadonlySet<SchemaEntry>
  /** What was asked for and can not be done, in words. */
  readonly notes: readonly string[]
}

const privileges = new Set(['ACL', 'DEFAULT ACL'])
const afterPrivileges = new Set(['EVENT TRIGGER', 'MATERIALIZED VIEW DATA'])

export function planRestore(
  manifest: Manifest,
  schema: { readonly preData: string; readonly postData: string } | undefined,
  choices: RestoreChoices,
): RestorePlan {
  if (!schema && choices.content !== 'data-only') {
    throw new AppError('usage-invalid', 'this backup holds data only', {
      hint: 'restore it with --data-only into a database that has the tables',
    })
  }
  const withSchema = choices.content !== 'data-only' && schema
  const withData = choices.content !== 'schema-only'
  const preData = withSchema ? splitSchemaText(schema.preData) : []
  const postData = withSchema ? splitSchemaText(schema.postData) : []
  const scope = chooseScope(manifest, [...preData, ...postData], choices)
  const chosen = (entries: readonly SchemaEntry[]) =>
    entries
      .filter((entry) => scope.includes(entry))
      .filter((entry) => !(choices.noPrivileges && privileges.has(entry.type)))
  const renamed = new Map<SchemaEntry, SchemaEntry>()
  const adapt = (entries: readonly SchemaEntry[]) =>
    entries.map((entry) => {
      const adapted = adaptEntry(entry, choices)
      renamed.set(entry, adapted)
      return adapted
    })
  const isLast = (entry: SchemaEntry) =>
    afterPrivileges.has(entry.type) ||
    (/^(COMMENT|SECURITY LABEL)$/.test(entry.type) && entry.name.startsWith('EVENT TRIGGER '))
  const [pre, post] = [chosen(preData), chosen(postData)]
  const beforeData = adapt(pre.filter((entry) => !privileges.has(entry.type)))
  const afterData = adapt(post.filter((entry) => !privileges.has(entry.type) && !isLast(entry)))
  const last = adapt([
    ...[...pre, ...post].filter((entry) => privileges.has(entry.type)),
    ...post.filter((entry) => !privileges.has(entry.type) && isLast(entry)),
  ])
  return {
    beforeData,
    tables: withData ? manifest.tables.filter((table) => scope.includesTable(table)) : [],
    sequences: withData ? manifest.sequences.filter((sequence) => scope.includesSequence(sequence)) : [],
    largeObjects: withData && scope.whole ? manifest.largeObjects : undefined,
    choices,
    afterData,
    last,
    helpers: new Set([...renamed].filter(([entry]) => scope.isHelper(entry)).map(([, adapted]) => adapted)),
    notes: scope.notes,
  }
}

/** Every role that the plan's statements name. */
export function rolesOfPlan(plan: RestorePlan): Set<string> {
  return new Set([...plan.beforeData, ...plan.afterData, ...plan.last].flatMap((entry) => [...rolesOf(entry)]))
}

function adaptEntry(entry: SchemaEntry, choices: RestoreChoices): SchemaEntry {
  let adapted = choices.noOwner ? withoutOwner(entry) : entry
  if (choices.roleMap.size > 0) adapted = mapRoles(adapted, choices.roleMap)
  if (choices.noTablespaces) {
    const { tablespace: _, ...defaults } = adapted.defaults
    adapted = { ...adapted, defaults }
  }
  return adapted
}

interface Scope {
  readonly whole: boolean
  readonly notes: string[]
  includes(entry: SchemaEntry): boolean
  includesTable(table: QualifiedName): boolean
  includesSequence(sequence: QualifiedName): boolean
  isHelper(entry: SchemaEntry): boolean
}

const keyOf = ({ schema, name }: QualifiedName) => JSON.stringify([schema, name])

/** Relations, and what hangs on them, are chosen; types, functions and the like come along so that tables can be made. */
const relationTypes =
  /^(TABLE|TABLE ATTACH|VIEW|MATERIALIZED VIEW|FOREIGN TABLE|SEQUENCE|SEQUENCE OWNED BY|SEQUENCE SET|DEFAULT)$/
const databaseWide = /^(PUBLICATION|PUBLICATION TABLE.*|SUBSCRIPTION|EVENT TRIGGER|DATABASE.*|DEFAULT ACL)$/

function chooseScope(manifest: Manifest, entries: readonly SchemaEntry[], choices: RestoreChoices): Scope {
  if (choices.tables.length === 0 && choices.schemas.length === 0) {
    const yes = () => true
    return { whole: true, notes: [], includes: yes, includesTable: yes, includesSequence: yes, isHelper: () => false }
  }
  const tablePatterns = choices.tables.map(compilePattern)
  const schemaPatterns = choices.schemas.map(compilePattern)
  const matches = (item: QualifiedName) =>
    tablePatterns.some((pattern) => pattern.matchesTable(item)) ||
    schemaPatterns.some((pattern) => pattern.matchesSchema(item.schema))

  const relations = new Map<string, QualifiedName>()
  for (const item of [...manifest.tables, ...manifest.tablesWithoutData, ...manifest.materializedViews]) {
    relations.set(keyOf(item), item)
  }
  for (const entry of entries) {
    const table = relationTypes.test(entry.type) && entry.type !== 'SEQUENCE' ? tableOf(entry) : undefined
    if (table) relations.set(keyOf(table), table)
  }
  const chosen = new Set([...relations.values()].filter(matches).map(keyOf))
  if (chosen.size === 0) {
    throw new AppError('selection-empty', 'no table of this backup matches the --table and --schema patterns', {
      hint: 'pgrevive show BACKUP --tables lists them; a name without a schema matches in every schema',
    })
  }
  addPartitions(entries, chosen)
  const sequences = sequencesOf(entries, chosen)
  for (const sequence of manifest.sequences) if (matches(sequence)) sequences.add(keyOf(sequence))

  const chosenSchemas = new Set(
    [...chosen, ...sequences].map((key) => (JSON.parse(key) as [string, string])[0]), // as: keyOf wrote it
  )
  const notes: string[] = []
  const belongs = (entry: SchemaEntry): boolean => {
    if (entry.type === 'SCHEMA') return chosenSchemas.has(entry.name) || isHelperEntry(entry)
    if (databaseWide.test(entry.type)) return false
    const table = tableOf(entry)
    if (entry.type === 'SEQUENCE') {
      return (
        sequences.has(keyOf({ schema: entry.schema ?? '', name: entry.name })) ||
        (table !== undefined && chosen.has(keyOf(table)))
      )
    }
    if (table) {
      if (!chosen.has(keyOf(table))) return false
      if (entry.type !== 'FK CONSTRAINT') return true
      const referenced = referencedTable(entry)
      if (!referenced || chosen.has(keyOf(referenced))) return true
      notes.push(`foreign key ${entry.name} is left out: ${referenced.schema}.${referenced.name} is not restored`)
      return false
    }
    if (entry.type === 'ACL' || entry.type === 'COMMENT') {
      const [, object = ''] = /^(?:SEQUENCE|INDEX|TABLE|VIEW) (.*)$/.exec(entry.name) ?? []
      if (object !== '') return sequences.has(keyOf({ schema: entry.schema ?? '', name: object }))
    }
    return isHelperEntry(entry)
  }
  const included = new Set(entries.filter(belongs))
  return {
    whole: false,
    notes,
    includes: (entry) => included.has(entry),
    includesTable: (table) => chosen.has(keyOf(table)),
    includesSequence: (sequence) => sequences.has(keyOf(sequence)),
    isHelper: isHelperEntry,
  }
}

/** What a table may need and that is not itself part of what was asked for. */
function isHelperEntry(entry: SchemaEntry): boolean {
  return !relationTypes.test(entry.type) && !databaseWide.test(entry.type) && tableOf(entry) === undefined
}

/** Choosing a partitioned table chooses its partitions. */
function addPartitions(entries: readonly SchemaEntry[], chosen: Set<string>): void {
  const attached = entries.filter(({ type }) => type === 'TABLE ATTACH')
  for (let before = -1; before !== chosen.size;) {
    before = chosen.size
    for (const entry of attached) {
      const [parent, partition] = [attachedTo(entry), tableOf(entry)]
      if (parent && partition && chosen.has(keyOf(parent))) chosen.add(keyOf(partition))
    }
  }
}

const identifier = String.raw`("(?:[^"]|"")+"|[^\s".()]+)`
const qualified = String.raw`${identifier}\.${identifier}`

function nameFrom(sql: string, pattern: RegExp): QualifiedName | undefined {
  const match = pattern.exec(sql)
  if (!match?.[1] || !match[2]) return undefined
  const unquote = (name: string) => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name)
  return { schema: unquote(match[1]), name: unquote(match[2]) }
}

function attachedTo(entry: SchemaEntry): QualifiedName | undefined {
  return nameFrom(entry.sql, new RegExp(`^ALTER TABLE ONLY ${qualified} ATTACH PARTITION`))
}

function referencedTable(entry: SchemaEntry): QualifiedName | undefined {
  return nameFrom(entry.sql, new RegExp(`REFERENCES ${qualified}\\(`))
}

/** The sequences that chosen tables own or draw their defaults from. */
function sequencesOf(entries: readonly SchemaEntry[], chosen: ReadonlySet<string>): Set<string> {
  const sequences = new Set<string>()
  for (const entry of entries) {
    const table = tableOf(entry)
    if (!table || !chosen.has(keyOf(table))) continue
    if (entry.type === 'SEQUENCE') sequences.add(keyOf({ schema: entry.schema ?? '', name: entry.name }))
    if (entry.type === 'SEQUENCE OWNED BY') {
      const owned = nameFrom(entry.sql, new RegExp(`^ALTER SEQUENCE ${qualified} OWNED BY`))
      if (owned) sequences.add(keyOf(owned))
    }
    if (entry.type === 'DEFAULT' || entry.type === 'TABLE') {
      for (const [, literal = ''] of entry.sql.matchAll(/nextval\('((?:[^']|'')+)'::regclass\)/g)) {
        const name = nameFrom(literal.replaceAll("''", "'"), new RegExp(`^${qualified}$`))
        if (name) sequences.add(keyOf(name))
      }
    }
  }
  return sequences
}

function compilePattern(pattern: string) {
  const parts = patternParts(pattern).map((regex) => new RegExp(`^(?:${regex})$`, 's'))
  const [first, second] = parts
  return {
    matchesSchema: (schema: string) => first?.test(schema) === true,
    matchesTable: ({ schema, name }: QualifiedName) =>
      second ? first?.test(schema) === true && second.test(name) : first?.test(name) === true,
  }
}
