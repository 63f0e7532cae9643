declare const lsnBrand: unique symbol

/** A position in the write-ahead log: ordered and subtractable, in bytes. */
export type Lsn = bigint & { readonly [lsnBrand]: true }

/** Reads PostgreSQL's `16/B374D848`. Throws RangeError for anything else. */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text)
  if (!match) throw new RangeError(`not an LSN: "${text}"`)
  return ((BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`)) as Lsn
}

export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffffffffn).toString(16)}`.toUpperCase()
}
