import { type SchemaEntry, nameOf, outline } from './schema-text.ts'
import { type Token, readStatements } from '../sql/sql-tokens.ts'

/** An `ALTER … OWNER TO …` in pieces. */
export interface Ownership {
  /** As it is written: `TABLE public.t`, `FUNCTION public.f(integer)`. */
  readonly subject: string
  /** Its last name: the object's own, unless something follows that, as the arguments of a function do. */
  readonly name: string
  readonly owner: string
}

const isOwnerStatement = (statement: readonly Token[]) => /^ALTER .* OWNER TO #\d+ ;$/.test(outline(statement))

/** Undefined where the entry does not say whose its object is. */
export function ownershipOf({ sql }: SchemaEntry): Ownership | undefined {
  const statement = readStatements(sql).find(isOwnerStatement)
  // ALTER subject OWNER TO owner ;
  const [first, last, owner] = [statement?.[1], statement?.at(-5), statement?.at(-2)]
  if (!first || !last || !owner) return undefined
  return { subject: sql.slice(first.start, last.end), name: nameOf(last), owner: nameOf(owner) }
}

/**
 * What an entry makes, or what its comment, security label or privileges are about, in the same words for both:
 * `TABLE s . t`, `TRIGGER x ON s . t`. Undefined where the text does not say it.
 */
export function subjectOf({ sql }: SchemaEntry): string | undefined {
  const statements = readStatements(sql)
  const main = statements.find(([first]) => first?.text !== 'SET' && first?.text !== 'RESET') ?? []
  switch (main[0]?.text) {
    case 'COMMENT':
    case 'SECURITY':
      return canonical(between(main, 'ON', ['IS']))
    case 'GRANT':
    case 'REVOKE':
      return canonical(between(main, 'ON', ['TO', 'FROM']))
    case undefined:
    default: {
      const owned = statements.find(isOwnerStatement)
      return owned ? canonical(owned.slice(1, -4)) : subjectWithoutOwner(main)
    }
  }
}

/** The index that an entry makes, alone or under a constraint; of an INDEX ATTACH the partitioned one and the one that joins it. */
export function indexSubjectsOf(entry: SchemaEntry): string[] {
  const [statement = []] = readStatements(entry.sql)
  const shape = outline(statement)
  const attached = /^ALTER INDEX (#\d+ \. #\d+) ATTACH PARTITION (#\d+ \. #\d+) ;$/.exec(shape)
  const constraint = /^ALTER TABLE (?:ONLY )?(#\d+) \. #\d+ ADD CONSTRAINT (#\d+) /.exec(shape)
  if (attached) return [`INDEX ${textOf(statement, attached[1])}`, `INDEX ${textOf(statement, attached[2])}`]
  if (constraint) return [`INDEX ${textOf(statement, constraint[1])} . ${textOf(statement, constraint[2])}`]
  return entry.type === 'INDEX' ? [subjectOf(entry) ?? ''] : []
}

/** The tokens that a part of an outline stands for. */
function textOf(statement: readonly Token[], shape = ''): string {
  return shape.replaceAll(/#(\d+)/g, (_, index: string) => statement[Number(index)]?.text ?? '')
}

const subjectPatterns: [RegExp, (first: string, second: string) => string][] = [
  [/^CREATE (?:UNIQUE )?INDEX (#\d+) ON (?:ONLY )?(#\d+) \. #\d+ /, (index, schema) => `INDEX ${schema} . ${index}`],
  [
    /^ALTER (?:FOREIGN )?TABLE (?:ONLY )?(#\d+ \. #\d+) ADD CONSTRAINT (#\d+) /,
    (table, it) => `CONSTRAINT ${it} ON ${table}`,
  ],
  [/^ALTER DOMAIN (#\d+ \. #\d+) ADD CONSTRAINT (#\d+) /, (domain, it) => `CONSTRAINT ${it} ON DOMAIN ${domain}`],
  [
    /^CREATE (?:CONSTRAINT )?TRIGGER (#\d+) .*? ON (#\d+ \. #\d+) /,
    (trigger, table) => `TRIGGER ${trigger} ON ${table}`,
  ],
  [/^CREATE RULE (#\d+) AS ON [A-Z]+ TO (#\d+ \. #\d+) /, (rule, table) => `RULE ${rule} ON ${table}`],
  [/^CREATE POLICY (#\d+) ON (#\d+ \. #\d+) /, (policy, table) => `POLICY ${policy} ON ${table}`],
  [/^CREATE EXTENSION (?:IF NOT EXISTS )?(#\d+) /, (extension) => `EXTENSION ${extension}`],
]

function subjectWithoutOwner(statement: readonly Token[]): string | undefined {
  const shape = outline(statement)
  for (const [pattern, subject] of subjectPatterns) {
    const match = pattern.exec(shape)
    if (match) return subject(textOf(statement, match[1]), textOf(statement, match[2]))
  }
  return undefined
}

/** The tokens between two keywords that stand in no parentheses. */
function between(statement: readonly Token[], start: string, ends: readonly string[]): Token[] {
  let parentheses = 0
  let found: Token[] | undefined
  for (const token of statement) {
    if (token.text === ')') parentheses--
    const isWord = parentheses === 0 && token.kind === 'word'
    if (found && isWord && ends.includes(token.text)) break
    found?.push(token)
    if (!found && isWord && token.text === start) found = []
    if (token.text === '(') parentheses++
  }
  return found ?? []
}

/** GRANT, COMMENT and ALTER call the same thing by different names. */
function canonical(subject: readonly Token[]): string {
  const [kind] = subject
  const tokens = kind?.text === 'COLUMN' ? subject.slice(0, -2) : subject
  return tokens
    .map(({ text }) => text)
    .join(' ')
    .replace(/^(?:COLUMN|DOMAIN|FOREIGN TABLE|MATERIALIZED VIEW|SEQUENCE|TYPE|VIEW) /, 'TABLE ')
    .replace(/^(?:AGGREGATE|PROCEDURE|ROUTINE) /, 'FUNCTION ')
    .replace(/^(?:FOREIGN|PROCEDURAL) (?=SERVER|LANGUAGE)/, '')
}
