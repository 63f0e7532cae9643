import { createCipheriv, createDecipheriv, randomFillSync, type KeyObject } from 'node:crypto'

export const nonceBytes = 12
export const tagBytes = 16
/** What sealing adds to the length. */
export const sealBytes = nonceBytes + tagBytes

const nonces = Buffer.alloc(nonceBytes * 1024)
let nextNonce = nonces.length

/** AES-256-GCM under a fresh random nonce: nonce ‖ ciphertext ‖ tag, in pieces. */
export function seal(key: KeyObject, aad: Uint8Array, plain: readonly Uint8Array[]): Buffer[] {
  const nonce = freshNonce()
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
  cipher.setAAD(aad)
  const pieces = [nonce, ...plain.map((piece) => cipher.update(piece)), cipher.final()]
  return [...pieces, cipher.getAuthTag()]
}

/** Opens what `seal` made. Throws if a bit differs. */
export function unseal(key: KeyObject, aad: Uint8Array, sealed: Uint8Array): Buffer {
  if (sealed.length < sealBytes) throw new RangeError('it is too short')
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes })
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes))
  const plain = decipher.update(sealed.subarray(nonceBytes, sealed.length - tagBytes))
  try {
    decipher.final()
  } catch (cause) {
    throw new RangeError('it is not what was written', { cause }) // OpenSSL's words are about itself
  }
  return plain
}

/** Drawn in batches: a call to the random generator costs more than sealing a small blob. Used once. */
function freshNonce(): Buffer {
  if (nextNonce === nonces.length) {
    randomFillSync(nonces)
    nextNonce = 0
  }
  nextNonce += nonceBytes
  return Buffer.from(nonces.subarray(nextNonce - nonceBytes, nextNonce))
}
