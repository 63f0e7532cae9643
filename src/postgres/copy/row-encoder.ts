import { rowEncoderWasm } from './row-encoder-wasm.ts'

/** By the function that reads their binary form; see row-encoder.wat for the numbers. */
const kinds: Readonly<Record<string, number>> = {
  textrecv: 0,
  varcharrecv: 0,
  bpcharrecv: 0,
  enum_recv: 0,
  json_recv: 0,
  jsonb_recv: 1,
  bytearecv: 2,
  boolrecv: 3,
  int2recv: 4,
  int4recv: 5,
  int8recv: 6,
  date_recv: 7,
  timestamp_recv: 8,
  timestamptz_recv: 9,
  time_recv: 10,
  numeric_recv: 11,
  uuid_recv: 12,
}

interface Exports {
  readonly memory: WebAssembly.Memory
  readonly columns: WebAssembly.Global
  readonly read: WebAssembly.Global
  readonly written: WebAssembly.Global
  /** Returns why it stopped. */
  readonly encode: (start: number, end: number, out: number, outEnd: number) => number
}

const outAt = 2048
const outBytes = 256 * 1024
const inAt = outAt + outBytes
const pageBytes = 65_536
/** A row of which more than this has come and whose end has not is not worth the memory. */
const longestRowBytes = 256 * 1024
const outputFull = 2
const notConvertible = 3
let compiled: WebAssembly.Module | undefined

/** What COPY's binary format begins and ends with. */
export const binaryHeader = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
export const binaryTrailer = Buffer.from([0xff, 0xff])

/**
 * Turns COPY text into binary rows, for which the server does half the work. It gives up at the first row that is not
 * exactly as PostgreSQL would have printed it, or is too long; what it has not converted is then in `rest`. One per COPY.
 */
export class RowEncoder {
  readonly #wasm: Exports
  #memory: Uint8Array
  /** Of input, from `inAt`. */
  #kept = 0
  #hasGivenUp = false

  private constructor(columns: readonly number[]) {
    compiled ??= new WebAssembly.Module(Buffer.from(rowEncoderWasm, 'base64'))
    this.#wasm = new WebAssembly.Instance(compiled).exports as unknown as Exports // as: the module beside this file
    this.#memory = new Uint8Array(this.#wasm.memory.buffer)
    this.#memory.set(columns)
    this.#wasm.columns.value = columns.length
  }

  /** For columns whose types are read by these functions of pg_catalog; undefined if one of them is not known here. */
  static for(receiveFunctions: readonly string[]): RowEncoder | undefined {
    const columns = receiveFunctions.map((name) => kinds[name])
    const isKnown = (kind: number | undefined) => kind !== undefined
    return columns.length > 0 && columns.every(isKnown) ? new RowEncoder(columns) : undefined
  }

  /** It takes no more pieces. */
  get hasGivenUp(): boolean {
    return this.#hasGivenUp
  }

  /** A copy of the text that was taken and not converted. */
  get rest(): Buffer {
    return Buffer.from(this.#memory.subarray(inAt, inAt + this.#kept))
  }

  /** Takes text that may be cut anywhere. What it yields is valid until the next is asked for. */
  *encode(piece: Uint8Array): Generator<Uint8Array, void, undefined> {
    this.#makeRoom(inAt + this.#kept + piece.length + 16)
    this.#memory.set(piece, inAt + this.#kept)
    const end = inAt + this.#kept + piece.length
    let start = inAt
    for (;;) {
      const why = this.#wasm.encode(start, end, outAt, outAt + outBytes)
      const read = Number(this.#wasm.read.value)
      const written = Number(this.#wasm.written.value)
      if (written > outAt) yield this.#memory.subarray(outAt, written)
      const isStuck = read === start
      start = read
      if (why === outputFull && !isStuck) continue
      this.#hasGivenUp = why === notConvertible || why === outputFull || end - start > longestRowBytes
      break
    }
    this.#memory.copyWithin(inAt, start, end)
    this.#kept = end - start
  }

  #makeRoom(bytes: number): void {
    const missing = bytes - this.#memory.length
    if (missing <= 0) return
    this.#wasm.memory.grow(Math.ceil(missing / pageBytes))
    this.#memory = new Uint8Array(this.#wasm.memory.buffer)
  }
}
