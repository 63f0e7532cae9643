import { type Decipheriv, createDecipheriv, createHash, pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'

const magicBytes = 8
const saltBytes = 8
const blockBytes = 16
/** `Salted__` and the salt; what follows is AES-256-CBC with PKCS #7 padding. */
export const opensslHeadBytes = magicBytes + saltBytes

/** The default of `openssl enc -pbkdf2`. */
export const usualIterations = 10_000

/**
 * What decrypts a file of `openssl enc -aes-256-cbc -salt`. The file does not say how its key was made from the
 * passphrase: with -pbkdf2, without it (SHA-256 since OpenSSL 1.1.0, MD5 before), so all are tried on its beginning.
 * Undefined if with none of them something comes out that `isExpected`.
 */
export async function findDecipher(
  beginning: Buffer,
  passphrase: string,
  options: { readonly iterations: number; readonly isExpected: (clear: Buffer) => boolean },
): Promise<Decipheriv | undefined> {
  const secret = Buffer.from(passphrase)
  const salt = beginning.subarray(magicBytes, opensslHeadBytes)
  const ciphertext = beginning.subarray(opensslHeadBytes)
  const whole = ciphertext.subarray(0, ciphertext.length - (ciphertext.length % blockBytes))
  const candidates = [
    () => promisify(pbkdf2)(secret, salt, options.iterations, keyAndIvBytes, 'sha256'),
    () => deriveByDigest('sha256', secret, salt),
    () => deriveByDigest('md5', secret, salt),
  ]
  for (const derive of candidates) {
    const material = await derive()
    if (options.isExpected(decipherOf(material).setAutoPadding(false).update(whole))) return decipherOf(material)
  }
  return undefined
}

const keyBytes = 32
const keyAndIvBytes = keyBytes + blockBytes

function decipherOf(material: Buffer): Decipheriv {
  return createDecipheriv('aes-256-cbc', material.subarray(0, keyBytes), material.subarray(keyBytes, keyAndIvBytes))
}

/** OpenSSL's EVP_BytesToKey with one round. */
function deriveByDigest(digest: 'sha256' | 'md5', secret: Buffer, salt: Buffer): Buffer {
  const blocks: Buffer[] = []
  for (let bytes = 0; bytes < keyAndIvBytes;) {
    const block = createHash(digest)
      .update(Buffer.concat([blocks.at(-1) ?? Buffer.alloc(0), secret, salt]))
      .digest()
    blocks.push(block)
    bytes += block.length
  }
  return Buffer.concat(blocks)
}
