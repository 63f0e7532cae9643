import { AppError } from '../../core/app-error.ts'

/** Loaded when something is to be encrypted or decrypted with it: that takes longer than the rest of a short command. */
const library = () => import('age-encryption')

/** A small age file that any one of the recipients can open. Rejects with `key-invalid` when one is not a recipient. */
export async function wrapForRecipients(secret: Uint8Array, recipients: readonly string[]): Promise<Uint8Array> {
  const { Encrypter } = await library()
  const encrypter = new Encrypter()
  for (const [index, recipient] of recipients.entries()) {
    try {
      encrypter.addRecipient(recipient)
    } catch (cause) {
      throw new AppError('key-invalid', `recipient ${index + 1} is not an age recipient`, {
        cause,
        hint: 'a recipient begins with age1; secret keys do not belong here',
      })
    }
  }
  return encrypter.encrypt(secret)
}

/** What an age file holds, or undefined if none of the identities opens it. */
export async function unwrapWithIdentities(
  file: Uint8Array,
  identities: readonly string[],
): Promise<Uint8Array | undefined> {
  if (identities.length === 0) return undefined
  const { Decrypter } = await library()
  const decrypter = new Decrypter()
  for (const identity of identities) decrypter.addIdentity(identity)
  return decrypter.decrypt(file).catch(() => undefined) // typage does not tell a wrong key from a damaged file
}

export async function wrapWithPassphrase(secret: string, passphrase: string): Promise<Uint8Array> {
  const { Encrypter } = await library()
  const encrypter = new Encrypter()
  encrypter.setPassphrase(passphrase)
  return encrypter.encrypt(secret)
}

/** What an age file holds, or undefined if the passphrase does not open it. */
export async function unwrapWithPassphrase(file: Uint8Array, passphrase: string): Promise<string | undefined> {
  const { Decrypter } = await library()
  const decrypter = new Decrypter()
  decrypter.addPassphrase(passphrase)
  return decrypter.decrypt(file, 'text').catch(() => undefined)
}

export async function toArmor(file: Uint8Array): Promise<string> {
  return (await library()).armor.encode(file)
}

/** Rejects when the text is not an armoured age file. */
export async function fromArmor(text: string): Promise<Uint8Array> {
  return (await library()).armor.decode(text)
}

/** A fresh identity: X25519, or the hybrid with ML-KEM-768, which also a quantum computer does not break. */
export async function generateIdentity(kind: 'X25519' | 'post-quantum' = 'X25519'): Promise<string> {
  const { generateHybridIdentity, generateX25519Identity } = await library()
  return kind === 'X25519' ? generateX25519Identity() : generateHybridIdentity()
}

export async function recipientOf(identity: string): Promise<string> {
  return (await library()).identityToRecipient(identity)
}
