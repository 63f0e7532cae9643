import { type SchemaEntry, nameOf } from '../../postgres/pg-dump/schema-text.ts'
import { type TextEncoding, quoteIdentifier, quoteQualified } from '../../postgres/sql/quote.ts'
import { readStatements } from '../../postgres/sql/sql-tokens.ts'
import type { QualifiedName } from '../../repository/backups/manifest.ts'
import { keyOf } from '../../repository/backups/restore-scope.ts'
import type { ChosenTable } from './chosen-tables.ts'
import { type EntriesByTable, callsNextval, definitionOf, textOf } from './table-definition.ts'

/** A table for the rows of one of a backup, under another name. */
export interface TableCopy {
  readonly from: ChosenTable
  readonly into: QualifiedName
  /** Makes the table. */
  readonly create: readonly string[]
  /** Keys, indexes and constraints, for when the rows are in it. Names that might collide are left to PostgreSQL. */
  readonly build: readonly string[]
  readonly generatedColumns: readonly string[]
  /** What it lacks, in words. */
  readonly notes: readonly string[]
}

/** Undefined where the backup does not tell how the table was made. */
export function planCopy(
  from: ChosenTable,
  into: QualifiedName,
  entries: EntriesByTable,
  connection: TextEncoding,
): TableCopy | undefined {
  const name = quoteQualified(into.schema, into.name, connection)
  const configuration = from.sources[0]?.extension
  if (configuration) {
    const columns = configuration.columns.map(
      (column) => `${quoteIdentifier(column.name, connection)} ${column.type}${column.notNull ? ' NOT NULL' : ''}`,
    )
    return {
      from,
      into,
      create: [`CREATE TABLE ${name} (${columns.join(', ')})`],
      build: [],
      generatedColumns: [],
      notes: [],
    }
  }
  const definition = definitionOf(from, entries)
  if (!definition) return undefined
  const about = entries.get(keyOf(from)) ?? []
  const defaults = readDefaults(about, name)
  const elements = [...definition.columns.map(({ sql }) => sql), ...definition.constraints]
  const list = definition.ofType !== '' && elements.length === 0 ? '' : `(\n    ${elements.join(',\n    ')}\n)`
  const drawing = definition.columns.filter(({ drawsFromSequence }) => drawsFromSequence).map((column) => column.name)
  return {
    from,
    into,
    create: [`CREATE TABLE ${name} ${definition.ofType}${list}`, ...defaults.statements],
    build: about.flatMap((entry) => rebuild(entry, name)),
    generatedColumns: definition.columns.filter(({ isGenerated }) => isGenerated).map((column) => column.name),
    notes: notesOf(from, into, about, [...drawing, ...defaults.drawing]),
  }
}

/** Defaults that pg_dump sets apart, but for those that a live sequence would give, as identity columns do. */
function readDefaults(about: readonly SchemaEntry[], name: string): { statements: string[]; drawing: string[] } {
  const statements: string[] = []
  const drawing: string[] = []
  for (const { type, sql } of about) {
    if (type !== 'DEFAULT' && type !== 'SEQUENCE') continue
    const [statement = []] = readStatements(sql)
    const at = statement.findIndex(({ text }) => text === 'COLUMN')
    const column = statement[at + 1]
    if (at === -1 || !column) continue
    if (type === 'SEQUENCE' || callsNextval(statement)) drawing.push(nameOf(column))
    else statements.push(`ALTER TABLE ${name} ALTER ${textOf(statement.slice(at, -1), sql)}`)
  }
  return { statements, drawing }
}

/** An index or a constraint of the copy; nothing for what is none. */
function rebuild({ type, sql }: SchemaEntry, name: string): string[] {
  const statement = readStatements(sql)[0]?.slice(0, -1) ?? []
  if (type === 'INDEX') {
    const using = statement.findIndex(({ text }) => text === 'USING')
    const unique = statement[1]?.text === 'UNIQUE' ? 'UNIQUE ' : ''
    return [`CREATE ${unique}INDEX ON ${name} ${textOf(statement.slice(using), sql)}`]
  }
  const at = statement.findIndex(({ text }) => text === 'ADD') + 1
  if (type === 'CHECK CONSTRAINT') return [`ALTER TABLE ${name} ADD ${textOf(statement.slice(at), sql)}`]
  // its name would be that of an index, too
  if (type === 'CONSTRAINT') return [`ALTER TABLE ${name} ADD ${textOf(statement.slice(at + 2), sql)}`]
  return []
}

const leftOut: Readonly<Record<string, string>> = {
  'FK CONSTRAINT': 'foreign key',
  TRIGGER: 'trigger',
  RULE: 'rule',
  POLICY: 'policy',
  'ROW SECURITY': 'row security',
  'PUBLICATION TABLE': 'publication',
  STATISTICS: 'statistics',
  ACL: 'privileges',
}

function notesOf(
  from: QualifiedName,
  into: QualifiedName,
  about: readonly SchemaEntry[],
  drawing: readonly string[],
): string[] {
  const title = `${into.schema}.${into.name}`
  const missing = about.flatMap(({ type, name }) => {
    const word = leftOut[type]
    if (word === undefined) return []
    if (type === 'ACL' || type === 'ROW SECURITY') return [word]
    return [`${word} ${name.startsWith(`${from.name} `) ? name.slice(from.name.length + 1) : name}`]
  })
  return [
    ...(drawing.length > 0
      ? [`${title} has no default for ${drawing.join(', ')}: the sequence stays with ${from.schema}.${from.name} alone`]
      : []),
    ...(missing.length > 0 ? [`${title} is without ${[...new Set(missing)].join(', ')}`] : []),
  ]
}
