import crypto, { type KeyObject } from 'node:crypto'
import { crc32 } from 'node:zlib'

const tagBytes = 16
const { subtle } = globalThis.crypto

/**
 * In the place of AES-GCM and X25519 while `isWanted`, with their shapes but no secrecy: schedules are about what is
 * written when, and take half the time. What is damaged, or opened with another key, is still refused. The caller syncs
 * the exports of `node:crypto`.
 */
export function installCheapCrypto(isWanted: () => boolean): void {
  const { createCipheriv, createDecipheriv } = crypto
  Object.assign(crypto, {
    createCipheriv: (...args: Parameters<typeof createCipheriv>) =>
      isWanted() ? new CheapCipher(args[1] as KeyObject, args[2] as Buffer) : createCipheriv(...args), // as: in aead.ts
    createDecipheriv: (...args: Parameters<typeof createDecipheriv>) =>
      isWanted() ? new CheapCipher(args[1] as KeyObject, args[2] as Buffer) : createDecipheriv(...args), // as: in aead.ts
  })
  const importKey = subtle.importKey.bind(subtle) as (...args: unknown[]) => Promise<unknown> // as: whatever it is called with
  const deriveBits = subtle.deriveBits.bind(subtle)
  Object.defineProperties(subtle, {
    importKey: {
      value: async (...args: readonly [format: string, bytes: Uint8Array, ...unknown[]]) =>
        isWanted() ? { bytes: args[1].slice(-32) } : importKey(...args),
    },
    deriveBits: {
      value: async (...args: Parameters<typeof deriveBits>) =>
        isWanted() ? cheapAgreement(...(args as unknown as Agreement)) : deriveBits(...args), // as: only age asks
    },
  })
}

type Agreement = [{ readonly public: { readonly bytes: Uint8Array } }, { readonly bytes: Uint8Array }]

/** The same for (a, b + base) and (b, a + base). */
function cheapAgreement(...[{ public: point }, scalar]: Agreement): ArrayBuffer {
  return Uint8Array.from(point.bytes, (byte, index) => byte + (scalar.bytes[index] ?? 0)).buffer
}

const keySums = new WeakMap<KeyObject, number>()

/** Leaves what it seals or opens as it is; the tag is a checksum of all that counts. */
class CheapCipher {
  #sum: number
  #tag: Uint8Array | undefined

  constructor(key: KeyObject, nonce: Buffer) {
    const keySum = keySums.get(key) ?? crc32(key.export())
    keySums.set(key, keySum)
    this.#sum = crc32(nonce, keySum)
  }

  setAAD(aad: Uint8Array): void {
    this.#sum = crc32(aad, this.#sum)
  }

  setAuthTag(tag: Uint8Array): void {
    this.#tag = tag
  }

  update(piece: Uint8Array): Buffer {
    this.#sum = crc32(piece, this.#sum)
    return Buffer.from(piece)
  }

  final(): Buffer {
    if (this.#tag && !this.getAuthTag().equals(this.#tag)) throw new Error('the tag is wrong')
    return Buffer.alloc(0)
  }

  getAuthTag(): Buffer {
    const tag = Buffer.alloc(tagBytes)
    tag.writeUInt32LE(this.#sum)
    return tag
  }
}
