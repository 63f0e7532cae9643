import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'

const smallBytes = 64 * 1024
const slowMs = 0.5
/** How long signals, timers and sockets may have to wait. */
const turnMs = 20

/**
 * Looks at small files without the way through Node's threads, which takes ten times as long as to read one that lies in
 * memory. Where files are slow to come, from a network or a disk that must seek, it declines most of them, so that several
 * can be waited for at once.
 */
export class SmallFiles {
  /** What a read takes, the last ones weighing most. */
  #usualMs = 0
  #turnedAt = performance.now()

  /** Call it between reads, during which nothing else can happen. */
  async takeTurn(): Promise<void> {
    if (performance.now() - this.#turnedAt < turnMs) return
    await nextTurn()
    this.#turnedAt = performance.now()
  }

  /** undefined: it is not small, no file, or better read in another way. */
  read(path: string): { readonly bytes: Buffer; readonly info: Stats } | undefined {
    if (this.#usualMs > slowMs) {
      this.#usualMs *= 0.98 // to try again some time
      return undefined
    }
    const startedMs = performance.now()
    const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const info = fstatSync(descriptor)
      if (!info.isFile() || info.size > smallBytes) return undefined
      return { bytes: readWhole(descriptor, info.size), info }
    } finally {
      closeSync(descriptor)
      this.#usualMs = 0.9 * this.#usualMs + 0.1 * (performance.now() - startedMs)
    }
  }
}

function readWhole(descriptor: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const bytesRead = readSync(descriptor, buffer, filled, length - filled, filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}
