export interface PackCount {
  packs: number
  bytes: number
}

export interface PruneReport {
  /** Before. */
  readonly stored: PackCount
  /** Condemned long enough ago, and removed. */
  readonly removed: PackCount
  /** Condemned by this run. */
  readonly condemned: PackCount
  /** Of those, packs of which something was needed, with the bytes of that, which were copied into new packs. */
  readonly repacked: PackCount
  /** Condemned packs whose time had come but which a backup needed; what it needs was copied. */
  readonly rescued: PackCount
  /** Condemned packs that are still there. */
  readonly waiting: PackCount
  /** When the last of those may be removed; null if there are none. */
  readonly waitingUntil: Date | null
  /** Bytes of no use that stay for now: in packs that are too young or not worth rewriting yet. */
  readonly unusedBytes: number
  /** Of all objects that were removed, and of all that were written. */
  freedBytes: number
  storedBytes: number
  /** Keys of packs that are damaged: nothing was copied out of them and they were left alone. */
  readonly damaged: readonly string[]
}

export function count(counter: PackCount, bytes: number): void {
  counter.packs++
  counter.bytes += bytes
}
