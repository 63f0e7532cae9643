import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto'
import { wrapForRecipients } from './age.ts'

/** Far below the 2^32 messages that random 96-bit nonces allow for one key (NIST SP 800-38D). */
const mostBlobs = 2 ** 28
const mostBytes = 2 ** 40
const longestUseMs = 24 * 3600 * 1000

export const dataKeyBytes = 32

/** A key that one session makes, keeps in memory only, and stores wrapped: the session can not open it again. */
export class DataKey {
  readonly key: KeyObject
  /** An age file for the repository's recipients. */
  readonly wrapped: Uint8Array
  readonly #createdAt = performance.now()
  #blobs = 0
  #bytes = 0

  private constructor(key: KeyObject, wrapped: Uint8Array) {
    this.key = key
    this.wrapped = wrapped
  }

  static async create(recipients: readonly string[]): Promise<DataKey> {
    const secret = randomBytes(dataKeyBytes)
    return new DataKey(createSecretKey(secret), await wrapForRecipients(secret, recipients))
  }

  /** Time for another one. */
  get isWorn(): boolean {
    return this.#blobs > mostBlobs || this.#bytes > mostBytes || performance.now() - this.#createdAt > longestUseMs
  }

  countUse(bytes: number): void {
    this.#blobs++
    this.#bytes += bytes
  }
}
