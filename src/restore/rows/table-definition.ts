import { type SchemaEntry, nameOf, tableOf } from '../../postgres/pg-dump/schema-text.ts'
import { type Token, readStatements } from '../../postgres/sql/sql-tokens.ts'
import type { QualifiedName } from '../../repository/backups/manifest.ts'
import { keyOf, parentsOf } from '../../repository/backups/restore-scope.ts'

/** What stands in the parentheses of pg_dump's CREATE TABLE. */
export interface TableDefinition {
  /** `OF schema.type`, or nothing. */
  readonly ofType: string
  readonly columns: readonly ColumnDefinition[]
  /** CHECK and NOT NULL, as they are written. */
  readonly constraints: readonly string[]
}

export interface ColumnDefinition {
  readonly name: string
  /** Without a default that a sequence gives. */
  readonly sql: string
  /** As pg_dump writes it, with a length and a scale. */
  readonly type: string
  readonly isGenerated: boolean
  /** There was such a default. */
  readonly drawsFromSequence: boolean
}

/** Entries by the key of the table that they are or belong to. */
export type EntriesByTable = ReadonlyMap<string, readonly SchemaEntry[]>

export function groupByTable(entries: readonly SchemaEntry[]): EntriesByTable {
  return Map.groupBy(entries, (entry) => {
    const table = tableOf(entry)
    return table ? keyOf(table) : ''
  })
}

/** What a table is made of, with what it inherits; undefined where the text does not say it, as for members of extensions. */
export function definitionOf(table: QualifiedName, entries: EntriesByTable): TableDefinition | undefined {
  const entry = entries.get(keyOf(table))?.find(({ type }) => type === 'TABLE')
  if (!entry) return undefined
  const inherited = parentsOf(entry).flatMap((parent) => definitionOf(parent, entries) ?? [])
  const own = readDefinition(entry.sql)
  const columns = new Map([...inherited, own].flatMap((it) => it.columns).map((column) => [column.name, column]))
  const constraints = new Set([...inherited, own].flatMap((it) => it.constraints))
  return { ofType: own.ofType, columns: [...columns.values()], constraints: [...constraints] }
}

function readDefinition(sql: string): TableDefinition {
  const statement = readStatements(sql).find(([first]) => first?.text === 'CREATE') ?? []
  const named = statement.findIndex(({ text }) => text === '.') + 1
  const opened = statement.findIndex(({ text }, index) => index > named && text === '(')
  const isTyped = statement[named + 1]?.text === 'OF'
  const elements = opened === -1 ? [] : readElements(statement.slice(opened + 1))
  const isConstraint = ([first]: Token[]) => first?.kind === 'word' && /^[A-Z]+$/.test(first.text)
  return {
    ofType: isTyped ? textOf(statement.slice(named + 1, opened === -1 ? -1 : opened), sql) : '',
    columns: elements.filter((it) => !isConstraint(it)).map((it) => readColumn(it, sql)),
    constraints: elements.filter(isConstraint).map((it) => textOf(it, sql)),
  }
}

/** The tokens up to the parenthesis that closes, parted at its commas. */
function readElements(tokens: readonly Token[]): Token[][] {
  const elements: Token[][] = [[]]
  let depth = 0
  for (const token of tokens) {
    if (/^[([]$/.test(token.text)) depth++
    if (/^[)\]]$/.test(token.text) && --depth < 0) break
    if (token.text === ',' && depth === 0) elements.push([])
    else elements.at(-1)?.push(token)
  }
  return elements.filter((element) => element.length > 0)
}

const afterType = /^(DEFAULT|GENERATED|COLLATE|CONSTRAINT|NOT|NULL|STORAGE|COMPRESSION)$/

function readColumn(tokens: readonly Token[], sql: string): ColumnDefinition {
  const isOutside = outsideParentheses(tokens)
  const at = (word: string) => tokens.findIndex(({ text }, index) => index > 0 && text === word && isOutside(index))
  const start = at('DEFAULT')
  const follows = (token: Token, index: number) =>
    isOutside(index) &&
    (/^(CONSTRAINT|COLLATE)$/.test(token.text) || (token.text === 'NOT' && tokens[index + 1]?.text === 'NULL'))
  const end = tokens.findIndex((token, index) => index > start && follows(token, index))
  const value = start === -1 ? [] : tokens.slice(start, end === -1 ? undefined : end)
  const drawsFromSequence = callsNextval(value)
  const typeEnd = tokens.findIndex(({ text }, index) => index > 1 && afterType.test(text) && isOutside(index))
  const kept = drawsFromSequence ? [tokens.slice(0, start), end === -1 ? [] : tokens.slice(end)] : [tokens]
  return {
    name: tokens[0] ? nameOf(tokens[0]) : '',
    sql: kept
      .map((part) => textOf(part, sql))
      .join(' ')
      .trim(),
    type: textOf(tokens.slice(1, typeEnd === -1 ? undefined : typeEnd), sql),
    isGenerated: at('GENERATED') !== -1,
    drawsFromSequence,
  }
}

export function callsNextval(tokens: readonly Token[]): boolean {
  return tokens.some(({ kind, text }) => kind === 'word' && text === 'nextval')
}

function outsideParentheses(tokens: readonly Token[]): (index: number) => boolean {
  let depth = 0
  const depths = tokens.map(({ text }) => (depth += /^[([]$/.test(text) ? 1 : /^[)\]]$/.test(text) ? -1 : 0))
  return (index) => depths[index] === 0
}

/** The text from the first token to the last. */
export function textOf(tokens: readonly Token[], sql: string): string {
  const [first, last] = [tokens[0], tokens.at(-1)]
  return first && last ? sql.slice(first.start, last.end) : ''
}
