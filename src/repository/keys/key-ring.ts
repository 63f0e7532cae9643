import { createSecretKey, type KeyObject } from 'node:crypto'
import { AppError } from '../../core/app-error.ts'
import { unwrapWithIdentities } from './age.ts'
import { dataKeyBytes } from './data-key.ts'
import { nameOf } from './handed-over.ts'

/** The data keys of a repository as its packs hold them: wrapped. Each is unwrapped once, when it is first asked for. */
export class KeyRing {
  readonly #identities: readonly string[]
  readonly #fit: () => Promise<boolean>
  #fits: Promise<boolean> | undefined
  readonly #readHandedOver: () => Promise<ReadonlyMap<string, Uint8Array>>
  #handedOver: Promise<ReadonlyMap<string, Uint8Array>> | undefined
  readonly #slots = new Map<string, number>()
  readonly #keys: { readonly wrapped: Uint8Array; unwrapped?: Promise<KeyObject> }[] = []

  /**
   * `fit` tells whether the identities are those of the repository now, and `readHandedOver` what they were given of keys
   * that were wrapped before they came; each is asked once, when it matters.
   */
  constructor(
    identities: readonly string[],
    ask: {
      readonly fit: () => Promise<boolean>
      readonly readHandedOver: () => Promise<ReadonlyMap<string, Uint8Array>>
    },
  ) {
    this.#identities = identities
    this.#fit = ask.fit
    this.#readHandedOver = ask.readHandedOver
  }

  async canUnwrap(): Promise<boolean> {
    return this.#identities.length > 0 && (this.#fits ??= this.#fit())
  }

  /** Keys are numbered from 0 to one less. */
  get size(): number {
    return this.#keys.length
  }

  /** The number under which `wrapped` is known from now on; the same for the same bytes. */
  intern(wrapped: Uint8Array): number {
    const text = Buffer.from(wrapped.buffer, wrapped.byteOffset, wrapped.length).toString('latin1')
    const known = this.#slots.get(text)
    if (known !== undefined) return known
    this.#keys.push({ wrapped: Uint8Array.from(wrapped) })
    this.#slots.set(text, this.#keys.length - 1)
    return this.#keys.length - 1
  }

  /** The data key as packs hold it. */
  wrapped(slot: number): Uint8Array {
    return this.#keyAt(slot).wrapped
  }

  /** Rejects with `key-cannot-read` without an identity, and with `key-wrong` if none of them opens the key. */
  unwrap(slot: number): Promise<KeyObject> {
    const key = this.#keyAt(slot)
    key.unwrapped ??= this.#open(key.wrapped)
    return key.unwrapped
  }

  #keyAt(slot: number) {
    const key = this.#keys[slot]
    if (!key) throw new RangeError(`no data key ${slot}`)
    return key
  }

  async #open(wrapped: Uint8Array): Promise<KeyObject> {
    if (this.#identities.length === 0) throw cannotRead()
    const secret = (await unwrapWithIdentities(wrapped, this.#identities)) ?? (await this.#handedOverAs(wrapped))
    if (secret?.length === dataKeyBytes) return createSecretKey(secret)
    if (!(await this.canUnwrap())) throw cannotRead()
    throw new AppError('key-wrong', 'the key does not open a data key that is needed', {
      hint: 'the backup was written for other recipients; use a key of one of those, or run "pgrevive key add" with it again for this one',
    })
  }

  async #handedOverAs(wrapped: Uint8Array): Promise<Uint8Array | undefined> {
    this.#handedOver ??= this.#readHandedOver()
    return (await this.#handedOver).get(nameOf(wrapped))
  }
}

export function cannotRead(): AppError {
  return new AppError('key-cannot-read', 'this key may write and list backups, but not read them', {
    hint: 'use the key file that holds the line AGE-SECRET-KEY-1…, or the passphrase; a key that was removed reads only what was written before',
  })
}
