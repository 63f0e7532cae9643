import { AppError } from '../../core/app-error.ts'
import { quoteLiteral } from './quote.ts'

/**
 * A psql and pg_dump object name pattern as a SQL condition: `*` and `?` match, double quotes keep case and take their
 * contents literally, a dot parts schema from name, and a name without a schema must be visible in the default
 * search_path (processSQLNamePattern in fe_utils/string_utils.c). `c` and `n` are pg_class and pg_namespace.
 */
export function tablePatternCondition(pattern: string): string {
  const parts = patternParts(pattern)
  const [first = '', second] = parts
  if (parts.length > 2) throw invalidPattern(pattern, 'has more than one dot')
  if (second === undefined) return `(${matches('c.relname', first)} AND pg_catalog.pg_table_is_visible(c.oid))`
  return `(${matches('n.nspname', first)} AND ${matches('c.relname', second)})`
}

/** The pattern that matches this table alone. */
export function exactPattern({ schema, name }: { readonly schema: string; readonly name: string }): string {
  return [schema, name].map((part) => `"${part.replaceAll('"', '""')}"`).join('.')
}

export function schemaPatternCondition(pattern: string): string {
  const parts = patternParts(pattern)
  if (parts.length > 1) throw invalidPattern(pattern, 'names a schema and so may hold no dot')
  return matches('n.nspname', parts[0] ?? '')
}

function matches(column: string, regex: string): string {
  return `${column} OPERATOR(pg_catalog.~) ${quoteLiteral(`^(${regex})$`)} COLLATE pg_catalog."default"`
}

function invalidPattern(pattern: string, why: string): AppError {
  return new AppError('usage-invalid', `the pattern ${JSON.stringify(pattern)} ${why}`, {
    hint: 'patterns are those of pg_dump: schema.table, with * and ?, odd names in double quotes',
  })
}

/** The dot-separated parts as regular expressions. */
export function patternParts(pattern: string): string[] {
  const parts = ['']
  const add = (text: string) => (parts[parts.length - 1] += text)
  let quoted = false
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern.charAt(at)
    if (character === '"') {
      if (quoted && pattern.charAt(at + 1) === '"') add(pattern.charAt(at++))
      else quoted = !quoted
    } else if (quoted) {
      add(escapeRegex(character))
    } else if (character === '*') {
      add('.*')
    } else if (character === '?') {
      add('.')
    } else if (character === '.') {
      parts.push('')
    } else if (character === '$') {
      add('\\$')
    } else {
      add(/[A-Z]/.test(character) ? character.toLowerCase() : character)
    }
  }
  if (quoted) throw invalidPattern(pattern, 'has an opening quote without a closing one')
  return parts
}

function escapeRegex(character: string): string {
  return /[|*+?()[\]{}.^$\\]/.test(character) ? `\\${character}` : character
}
