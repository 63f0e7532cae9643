import { countRows, lineFeed } from './copy-text.ts'
import type { TextEncoding } from './text-encoding.ts'

/** Of a longer value so many characters are kept, and "…" behind them. */
export const longestValue = 1000

/** Each value as PostgreSQL prints it; null is NULL. */
export type FoundRow = (string | null)[]

export interface RowSearch {
  /** In any case; NULL does not hold it. */
  readonly text: string
  /** Index of the only column that is searched; undefined: all are. */
  readonly column: number | undefined
}

export interface RowFinderOptions {
  readonly columns: number
  readonly encoding: TextEncoding
  /** undefined: every row is wanted. */
  readonly search: RowSearch | undefined
  /** Rows that are passed over before the first one is kept. */
  readonly skip: number
  /** It stops behind this many. */
  readonly limit: number
}

const tab = 0x09
const backslash = 0x5c
/** What COPY writes for the control characters that it escapes, and for NULL. */
const escapes: Readonly<Record<string, number>> = { b: 8, f: 12, n: lineFeed, r: 13, t: tab, v: 11 }
const escaped = /[\b\t\n\v\f\r\\]/
const windowBytes = 64 * 1024
/** Of no encoding do so many bytes hold fewer characters than are kept. */
const keptBytes = 4 * longestValue

/** Finds rows in COPY text that comes in pieces cut anywhere. Holds the row at hand with its values cut, however long it is. */
export class RowFinder {
  readonly found: FoundRow[] = []
  /** That ended in what was read. */
  rows = 0
  /** That fit, with those that were passed over. */
  matching = 0
  readonly #options: RowFinderOptions
  readonly #needle: string
  readonly #value: Value
  #row: FoundRow = []
  #isBegun = false
  #isEscaped = false
  /** Something is lost: what comes before the next line feed is no row. */
  #isBroken = false
  #isMatch = false

  constructor(options: RowFinderOptions) {
    this.#options = options
    this.#needle = foldCase(options.search?.text ?? '')
    this.#value = new Value(options.encoding, this.#needle)
    this.#beginRow()
  }

  get isFull(): boolean {
    return this.found.length >= this.#options.limit
  }

  read(piece: Uint8Array): void {
    for (let start = 0; start < piece.length && !this.isFull; start += windowBytes) {
      this.#readWindow(piece.subarray(start, start + windowBytes))
    }
  }

  /** What comes next does not follow what came last. */
  gap(): void {
    this.#beginRow()
    this.#isBroken = true
  }

  #readWindow(bytes: Uint8Array): void {
    const isInside = this.#isBegun || this.#isBroken
    const begunEnd = isInside ? bytes.indexOf(lineFeed) + 1 || bytes.length : 0
    const end = Math.max(begunEnd, bytes.lastIndexOf(lineFeed) + 1)
    if (this.#isBroken) this.#isBroken = bytes[begunEnd - 1] !== lineFeed
    else this.#parse(bytes.subarray(0, begunEnd))
    const whole = bytes.subarray(begunEnd, end)
    if (this.#mayHold(whole)) this.#parse(whole)
    else this.rows += countRows(whole)
    this.#parse(bytes.subarray(end))
  }

  /** A text without anything that is escaped lies in a row's line as it lies in the value. */
  #mayHold(rows: Uint8Array): boolean {
    if (this.#options.search === undefined || escaped.test(this.#needle)) return true
    return foldCase(this.#options.encoding.open()(rows)).includes(this.#needle)
  }

  #parse(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.isFull; at++) {
      this.#isBegun = true
      const start = at
      let byte = bytes[at]
      if (this.#isEscaped) {
        this.#isEscaped = false
        this.#unescape(byte ?? 0)
        continue
      }
      while (at < bytes.length && byte !== tab && byte !== lineFeed && byte !== backslash) byte = bytes[++at]
      if (at > start) this.#value.add(bytes.subarray(start, at))
      if (at === bytes.length) return
      if (byte === backslash) this.#isEscaped = true
      else this.#endValue()
      if (byte === lineFeed) this.#endRow()
    }
  }

  #unescape(byte: number): void {
    const letter = String.fromCharCode(byte)
    if (letter === 'N') this.#value.isNull = true
    else this.#value.add(Uint8Array.of(escapes[letter] ?? byte))
  }

  #endValue(): void {
    this.#row.push(this.#value.end())
    this.#isMatch ||= this.#value.isMatch
    this.#beginValue()
  }

  #endRow(): void {
    this.rows++
    if (this.#isMatch) {
      this.matching++
      // a table without columns has an empty line for each row
      if (this.matching > this.#options.skip) this.found.push(this.#row.slice(0, this.#options.columns))
    }
    this.#beginRow()
  }

  #beginRow(): void {
    this.#row = []
    this.#isBegun = false
    this.#isEscaped = false
    this.#isMatch = this.#options.search === undefined
    this.#beginValue()
  }

  #beginValue(): void {
    const { search } = this.#options
    const isSearched = search !== undefined && (search.column ?? this.#row.length) === this.#row.length
    this.#value.begin(isSearched && !this.#isMatch)
  }
}

/** One value after the other, each as far as it is shown, and searched to its end. */
class Value {
  isNull = false
  isMatch = false
  readonly #encoding: TextEncoding
  readonly #needle: string
  readonly #kept = new Uint8Array(keptBytes)
  #length = 0
  #isSearched = false
  /** Of a value that is longer than what is kept. */
  #decode: ((bytes: Uint8Array) => string) | undefined
  /** The end of what was searched, in which what is sought may have begun. */
  #tail = ''

  constructor(encoding: TextEncoding, needle: string) {
    this.#encoding = encoding
    this.#needle = needle
  }

  begin(isSearched: boolean): void {
    this.isNull = false
    this.isMatch = false
    this.#length = 0
    this.#isSearched = isSearched
    this.#decode = undefined
    this.#tail = ''
  }

  add(bytes: Uint8Array): void {
    const before = this.#length
    this.#length += bytes.length
    const isLong = this.#length > keptBytes
    if (isLong && !this.#decode) this.#search(this.#kept.subarray(0, before))
    if (isLong) this.#search(bytes)
    if (before < keptBytes) this.#kept.set(bytes.subarray(0, keptBytes - before), before)
  }

  end(): string | null {
    if (this.isNull) return null
    const isLong = this.#length > keptBytes
    const text = this.#encoding.decode(this.#kept.subarray(0, Math.min(this.#length, keptBytes)), { cut: isLong })
    if (this.#isSearched && !isLong) this.isMatch = foldCase(text).includes(this.#needle)
    return shorten(text, isLong)
  }

  #search(bytes: Uint8Array): void {
    if (!this.#isSearched || this.isMatch) return
    this.#decode ??= this.#encoding.open()
    const text = this.#tail + foldCase(this.#decode(bytes))
    this.isMatch = text.includes(this.#needle)
    this.#tail = text.slice(Math.max(0, text.length - this.#needle.length + 1))
  }
}

function shorten(text: string, goesOn: boolean): string {
  if (text.length <= longestValue && !goesOn) return text
  const characters = Array.from(text)
  if (characters.length <= longestValue && !goesOn) return text
  return `${characters.slice(0, longestValue).join('')}…`
}

/** Upper case, unlike lower, never depends on what stands beside. */
function foldCase(text: string): string {
  return text.toUpperCase()
}
