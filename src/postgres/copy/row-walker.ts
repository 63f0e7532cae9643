import { rowWalkerWasm } from './row-walker-wasm.ts'

/** What a COPY stream held. Adds up over parts of a table and does not depend on the order of rows. */
export interface RowDigest {
  readonly rows: number
  /** Of the COPY text, newlines included. */
  readonly bytes: number
  /** Sum modulo 2^64 of the xxh64 (seed 0) of every row's line, newline included. */
  readonly hash: bigint
}

export const emptyDigest: RowDigest = { rows: 0, bytes: 0, hash: 0n }

export function addDigests(a: RowDigest, b: RowDigest): RowDigest {
  return { rows: a.rows + b.rows, bytes: a.bytes + b.bytes, hash: BigInt.asUintN(64, a.hash + b.hash) }
}

interface Exports {
  readonly memory: WebAssembly.Memory
  readonly out: WebAssembly.Global
  readonly rows: WebAssembly.Global
  readonly bytes: WebAssembly.Global
  readonly sum: WebAssembly.Global
  readonly walk: (start: number, length: number) => number
}

const inputAt = 1024
const pageBytes = 65_536
let compiled: WebAssembly.Module | undefined
const idle: RowWalker[] = []

/** Takes COPY rows out of the server's bytes and hashes them on the way; see row-walker.wat. */
export class RowWalker {
  readonly #wasm: Exports
  #memory: Uint8Array

  /** One for a COPY: another that has finished one, for making them costs more than a small table. */
  static take(): RowWalker {
    return idle.pop() ?? new RowWalker()
  }

  private constructor() {
    compiled ??= new WebAssembly.Module(Buffer.from(rowWalkerWasm, 'base64'))
    this.#wasm = new WebAssembly.Instance(compiled).exports as unknown as Exports // as: the module beside this file
    this.#memory = new Uint8Array(this.#wasm.memory.buffer)
  }

  /**
   * Reads messages from `chunk` up to the first that is not CopyData, or to a header that is cut off at the end.
   * `rows` are the payloads, a view that is valid until the next call; `consumed` says how much of `chunk` was read.
   */
  walk(chunk: Uint8Array): { rows: Uint8Array; consumed: number } {
    const missing = inputAt + chunk.length - this.#memory.length
    if (missing > 0) {
      this.#wasm.memory.grow(Math.ceil(missing / pageBytes))
      this.#memory = new Uint8Array(this.#wasm.memory.buffer)
    }
    this.#memory.set(chunk, inputAt)
    const consumed = this.#wasm.walk(inputAt, chunk.length)
    return { rows: this.#memory.subarray(inputAt, Number(this.#wasm.out.value)), consumed }
  }

  /** Of all rows. The last call, after the last row: then the next COPY may take the walker. */
  finish(): RowDigest {
    const { rows, bytes, sum } = this.#wasm
    const digest = {
      rows: Number(rows.value),
      bytes: Number(bytes.value),
      hash: BigInt.asUintN(64, BigInt(sum.value)),
    }
    for (const counter of [rows, bytes, sum]) counter.value = 0n
    idle.push(this)
    return digest
  }
}
