import { type ByteReader, cutOff, damagedDump } from './byte-reader.ts'

const recordBytes = 512

export interface TarMember {
  readonly name: string
  readonly sizeBytes: number
}

/** The files in a tar archive, one after the other, as pg_dump writes it (ustar). */
export class TarMembers {
  readonly #reader: ByteReader
  #current: TarMember | undefined
  #unread = 0
  #padding = 0

  constructor(reader: ByteReader) {
    this.#reader = reader
  }

  /** The member that `bytes` reads. */
  get current(): TarMember | undefined {
    return this.#current
  }

  /** Undefined at the end of the archive. Throws `dump-damaged` if that does not come. */
  async next(): Promise<TarMember | undefined> {
    for await (const _skipped of this.bytes());
    for await (const _padding of this.#reader.take(this.#padding));
    const head = await this.#reader.read(recordBytes)
    this.#current = undefined
    this.#padding = 0
    if (head.every((byte) => byte === 0)) return undefined
    if (!hasRightSum(head)) throw damagedDump('the head of a file in the tar archive is damaged')
    const sizeBytes = numberAt(head, 124, 12)
    this.#unread = sizeBytes
    this.#padding = (recordBytes - (sizeBytes % recordBytes)) % recordBytes
    const [name = ''] = head.toString('latin1', 0, 100).split('\0')
    return (this.#current = { name, sizeBytes })
  }

  /** Of the current member, as far as they have not been read. */
  async *bytes(): AsyncGenerator<Uint8Array> {
    while (this.#unread > 0) {
      const piece = await this.#reader.piece(this.#unread)
      if (!piece) throw cutOff()
      this.#unread -= piece.length
      yield piece
    }
  }
}

/** Octal digits; or, for large ones, a set bit and then bytes. */
function numberAt(head: Buffer, start: number, length: number): number {
  const field = head.subarray(start, start + length)
  if ((field[0] ?? 0) & 0x80) return Number(BigInt(`0x${field.subarray(1).toString('hex')}`))
  return Number.parseInt(field.toString('latin1').replaceAll('\0', ' ').trim() || '0', 8)
}

/** The sum of all bytes, with the sum itself as blanks. */
function hasRightSum(head: Buffer): boolean {
  const sum = head.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0)
  return sum === numberAt(head, 148, 8)
}
