import { AppError } from '../../core/app-error.ts'

/**
 * `word`: a keyword, an unquoted identifier or a number. `quoted`: a "…" identifier. `string`: '…', E'…' or $tag$…$tag$.
 * `start` and `end` are positions in the text that was read.
 */
export interface Token {
  readonly kind: 'word' | 'quoted' | 'string' | 'symbol' | 'comment'
  readonly start: number
  readonly end: number
  readonly text: string
}

const blank = /[ \t\n\r\f\v]+/y
// As in PostgreSQL's scan.l every character above ASCII is a letter, the no-break space too.
const opening =
  /(?<comment>--[^\n\r]*|\/\*)|(?<string>[eE]?'|\$(?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?\$)|(?<quoted>")|(?<word>[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*|[0-9][\w.]*)|[^]/y

/**
 * The tokens of SQL text as PostgreSQL reads it with standard_conforming_strings on. Throws `pg-dump-failed` if a quote
 * or a comment does not end. `from`: where a token begins.
 */
export function* readTokens(text: string, from = 0): Generator<Token> {
  for (let start = skipBlanks(text, from); start < text.length;) {
    opening.lastIndex = start
    const match = opening.exec(text)
    const groups: Record<string, string | undefined> = match?.groups ?? {}
    const kind =
      (['comment', 'string', 'quoted', 'word'] as const).find((name) => groups[name] !== undefined) ?? 'symbol'
    const end = endOfToken(text, start, match?.[0] ?? '')
    yield { kind, start, end, text: text.slice(start, end) }
    start = skipBlanks(text, end)
  }
}

function skipBlanks(text: string, at: number): number {
  blank.lastIndex = at
  return blank.test(text) ? blank.lastIndex : at
}

function endOfToken(text: string, start: number, opened: string): number {
  if (opened === '/*') return endOfBlockComment(text, start)
  if (opened === "'") return endOfQuote(text, start, /''|'/g, 1)
  if (opened === '"') return endOfQuote(text, start, /""|"/g, 1)
  if (opened === "E'" || opened === "e'") return endOfQuote(text, start, /\\[^]|''|'/g, 2)
  if (!opened.startsWith('$') || opened === '$') return start + opened.length
  const close = text.indexOf(opened, start + opened.length)
  if (close === -1) throw unterminated(text, start)
  return close + opened.length
}

/** `edge` matches two characters where the quote goes on and one where it ends. */
function endOfQuote(text: string, start: number, edge: RegExp, openingLength: number): number {
  edge.lastIndex = start + openingLength
  for (let match = edge.exec(text); match; match = edge.exec(text)) if (match[0].length === 1) return edge.lastIndex
  throw unterminated(text, start)
}

function endOfBlockComment(text: string, start: number): number {
  const edge = /\/\*|\*\//g
  edge.lastIndex = start
  for (let depth = 0, match = edge.exec(text); match; match = edge.exec(text)) {
    depth += match[0] === '/*' ? 1 : -1
    if (depth === 0) return edge.lastIndex
  }
  throw unterminated(text, start)
}

function unterminated(text: string, at: number): AppError {
  const line = text.slice(0, at).split('\n').length
  return new AppError('pg-dump-failed', `the schema text ends inside a quote or comment that begins in line ${line}`)
}

/** Gathers tokens into statements, each with its semicolon; comments are left out. Knows BEGIN ATOMIC … END bodies. */
export class StatementBuilder {
  #statement: Token[] = []
  #parentheses = 0
  #blocks = 0

  /** What has no semicolon yet. */
  get unfinished(): readonly Token[] {
    return this.#statement
  }

  /** Returns the statement that the token ends. */
  add(token: Token): Token[] | undefined {
    if (token.kind === 'comment') return undefined
    const before = this.#statement.at(-1)?.text
    this.#statement.push(token)
    if (token.kind === 'symbol') this.#parentheses += token.text === '(' ? 1 : token.text === ')' ? -1 : 0
    if (token.kind === 'word') {
      if (token.text === 'ATOMIC' && before === 'BEGIN' && this.#parentheses === 0) this.#blocks++
      else if (this.#blocks > 0 && token.text === 'CASE') this.#blocks++
      else if (this.#blocks > 0 && token.text === 'END') this.#blocks--
    }
    if (token.text !== ';' || this.#parentheses > 0 || this.#blocks > 0) return undefined
    const statement = this.#statement
    this.#statement = []
    return statement
  }
}

/** The last one may lack its semicolon. */
export function splitStatements(tokens: Iterable<Token>): Token[][] {
  const builder = new StatementBuilder()
  const statements: Token[][] = []
  for (const token of tokens) {
    const statement = builder.add(token)
    if (statement) statements.push(statement)
  }
  return builder.unfinished.length === 0 ? statements : [...statements, [...builder.unfinished]]
}

let last: { readonly sql: string; readonly statements: readonly Token[][] } | undefined

/** The statements of a text. The last answer is remembered, since many questions are asked about one entry in a row. */
export function readStatements(sql: string): readonly Token[][] {
  if (last?.sql !== sql) last = { sql, statements: splitStatements(readTokens(sql)) }
  return last.statements
}
