import { type Ownership, subjectOf } from '../postgres/pg-dump/schema-subject.ts'
import { type SchemaEntry, outline } from '../postgres/pg-dump/schema-text.ts'
import { readStatements } from '../postgres/sql/sql-tokens.ts'

/** Parts of tables and domains: each pattern captures the last token of what is altered and, if another, of what is dropped. */
const partPatterns: readonly [RegExp, (head: string, part: string) => string][] = [
  [
    /^ALTER (?:TABLE (?:ONLY )?|DOMAIN )#\d+ \. #(\d+) ADD CONSTRAINT #(\d+) /,
    (head, it) => `${head} DROP CONSTRAINT ${it}`,
  ],
  [/^ALTER TABLE (?:ONLY )?#\d+ \. #\d+ ALTER COLUMN #(\d+) SET DEFAULT /, (column) => `${column} DROP DEFAULT`],
]

/**
 * The statement with which pg_restore --clean removes what an entry makes; empty where it goes with something else. For
 * functions and operators pg_restore also takes their full name from it.
 */
export function dropStatement(entry: SchemaEntry, ownership: Ownership | undefined): string {
  const { type, sql, name } = entry
  if (type === 'BLOB') return `SELECT pg_catalog.lo_unlink('${name}');\n`
  const [statement = []] = readStatements(sql)
  const shape = outline(statement)
  if (ownership) {
    const { subject } = ownership
    const dropped = subject.startsWith('TABLE ') ? `${type}${subject.slice('TABLE'.length)}` : subject
    const isBaseType = /^CREATE TYPE #\d+ \. #\d+ \( /.test(shape) // its functions need it, and it needs them
    return `DROP ${dropped}${isBaseType ? ' CASCADE' : ''};\n`
  }
  if (/^(EXTENSION|POLICY|RULE|TRIGGER)$/.test(type)) {
    const subject = subjectOf(entry)
    return subject === undefined ? '' : `DROP ${subject};\n`
  }
  if (type === 'CAST') {
    const types = sql.slice(statement[2]?.start, statement.find(({ text }) => text === ')')?.end)
    return `DROP CAST ${types};\n`
  }
  if (type === 'CONSTRAINT') return '' // those of partitions can not be dropped, and all go with their table
  for (const [pattern, drop] of partPatterns) {
    const [found, last, part] = pattern.exec(shape) ?? []
    const [end, dropped] = [statement[Number(last)]?.end, statement[Number(part ?? last)]?.text]
    if (found !== undefined && dropped !== undefined) return `${drop(sql.slice(0, end), dropped)};\n`
  }
  return ''
}
