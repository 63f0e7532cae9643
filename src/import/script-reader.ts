import { AppError, hasCode } from '../core/app-error.ts'
import { type Token, StatementBuilder, readTokens } from '../postgres/sql/sql-tokens.ts'
import { type ByteReader, cutOff, damagedDump } from './byte-reader.ts'

export type ScriptPart =
  | { readonly kind: 'statement'; readonly sql: string; readonly tokens: readonly Token[] }
  /** One of psql's own, such as `\connect name`; `text` is all of its line. */
  | { readonly kind: 'command'; readonly text: string }

/** What pg_dump's scripts end with. */
const lastComment = /^-- PostgreSQL database dump complete\r?$/

const pieceBytes = 64 * 1024
/** A statement longer than that would not fit into a string of JavaScript with its neighbours. */
const longestStatement = 2 ** 28

/**
 * Reads a script statement by statement, with memory for the longest one. Text is bytes, as latin1: the script says itself
 * what they mean. Must not be used while the rows behind a COPY are read from the same reader.
 */
export class ScriptReader {
  readonly #reader: ByteReader
  /** What was read and is not yet done with; tokens were taken up to `#at`. */
  #text = ''
  #at = 0
  #statements = new StatementBuilder()
  #ended = false
  #complete = false

  constructor(reader: ByteReader) {
    this.#reader = reader
  }

  /** Whether the comment at the end of pg_dump's scripts has been seen. */
  get complete(): boolean {
    return this.#complete
  }

  /** Undefined at the end. Throws `dump-damaged` if that is within a statement. */
  async next(): Promise<ScriptPart | undefined> {
    for (;;) {
      const part = this.#scan()
      if (part) return part
      if (this.#ended) {
        if (this.#statements.unfinished.length > 0) throw cutOff('a statement')
        return undefined
      }
      await this.#readMore()
    }
  }

  /** Gives back what was read too far, but for the rest of the line: the rows of a COPY begin behind it. */
  async endLine(): Promise<void> {
    while (!this.#text.includes('\n') && !this.#ended) await this.#readMore()
    const lineEnd = this.#text.indexOf('\n')
    if (lineEnd === -1) throw cutOff('a table')
    this.#reader.unread(Buffer.from(this.#text.slice(lineEnd + 1), 'latin1'))
    this.#drop(this.#text.length)
    this.#ended = false
  }

  /** Undefined where more must be read first. */
  #scan(): ScriptPart | undefined {
    try {
      for (const token of readTokens(this.#text, this.#at)) {
        if (token.end === this.#text.length && !this.#ended) return undefined // it may go on
        if (token.kind === 'symbol' && token.text === '\\') return this.#command(token)
        this.#at = token.end
        if (token.kind === 'comment' && lastComment.test(token.text)) this.#complete = true
        const tokens = this.#statements.add(token)
        if (!tokens) continue
        const sql = this.#text.slice(tokens[0]?.start, token.end)
        this.#drop(token.end)
        return { kind: 'statement', sql, tokens }
      }
      return undefined
    } catch (error) {
      if (!hasCode(error, 'pg-dump-failed')) throw error
      if (this.#ended) throw cutOff('a quote')
      return undefined
    }
  }

  #command({ start }: Token): ScriptPart | undefined {
    if (this.#statements.unfinished.length > 0) throw damagedDump('there is a backslash within a statement')
    const lineEnd = this.#text.indexOf('\n', start)
    if (lineEnd === -1 && !this.#ended) return undefined
    const text = this.#text.slice(start, lineEnd === -1 ? undefined : lineEnd).trimEnd()
    this.#drop(lineEnd === -1 ? this.#text.length : lineEnd)
    return { kind: 'command', text }
  }

  #drop(end: number): void {
    this.#text = this.#text.slice(end)
    this.#at = 0
  }

  /** Twice as much as there is, so that a long literal is not read again and again from its beginning. */
  async #readMore(): Promise<void> {
    if (this.#statements.unfinished.length === 0) this.#drop(this.#at)
    if (this.#text.length > longestStatement) {
      throw new AppError('dump-refused', 'it holds a statement of more than 256 MiB', {
        hint: 'import a dump of another format, or one whose rows are not in INSERT statements',
      })
    }
    const pieces: Buffer[] = []
    for (let wanted = Math.max(pieceBytes, this.#text.length); wanted > 0;) {
      const piece = await this.#reader.piece(wanted)
      if (!piece) {
        this.#ended = true
        break
      }
      pieces.push(piece)
      wanted -= piece.length
    }
    this.#text += Buffer.concat(pieces).toString('latin1')
  }
}
