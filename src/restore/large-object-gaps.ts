import type { AppError } from '../core/app-error.ts'
import { lineFeed } from '../postgres/copy/copy-text.ts'
import { wholeRows } from './whole-rows.ts'

/** Finds out which large objects lack something, from the rows (oid, offset, data) that come around gaps. */
export class LargeObjectGaps {
  readonly #lost: { readonly from: number; readonly to: number }[] = []
  #last = 0
  #damage: AppError | undefined

  /** Undefined if nothing is missing. */
  get damage(): AppError | undefined {
    return this.#damage
  }

  /** Reads on behind a gap: what lies between is lost, and what is not known to begin or to end. */
  async *follow(pieces: AsyncIterable<Uint8Array | AppError>): AsyncGenerator<Uint8Array> {
    let isOpen = false
    const onGap = (damage: AppError) => {
      this.#damage ??= damage
      isOpen = true
    }
    for await (const rows of wholeRows(pieces, onGap)) {
      if (isOpen) {
        const [oid = 0, start = 0] = numbersAt(rows, 0)
        this.#lost.push({ from: this.#last, to: start > 0 ? oid : oid - 1 })
      }
      isOpen = false
      this.#last = numbersAt(rows, rows.lastIndexOf(lineFeed, -2) + 1)[0] ?? 0
      yield rows
    }
    if (isOpen) this.#lost.push({ from: this.#last, to: Infinity })
  }

  lacks(oid: string): boolean {
    return this.#lost.some(({ from, to }) => Number(oid) >= from && Number(oid) <= to)
  }
}

/** OID and offset of the row that begins at `start`. */
function numbersAt(rows: Uint8Array, start: number): number[] {
  return Buffer.from(rows.subarray(start, start + 32))
    .toString('latin1')
    .split('\t', 2)
    .map(Number)
}
