import { armor, Decrypter, Encrypter } from 'age-encryption'
import { AppError } from '../core/app-error.ts'

/** A small age file that any one of the recipients can open. Rejects with `key-invalid` when one is not a recipient. */
export async function wrapForRecipients(secret: Uint8Array, recipients: readonly string[]): Promise<Uint8Array> {
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
  const decrypter = new Decrypter()
  for (const identity of identities) decrypter.addIdentity(identity)
  return decrypter.decrypt(file).catch(() => undefined) // typage does not tell a wrong key from a damaged file
}

export async function wrapWithPassphrase(secret: string, passphrase: string): Promise<Uint8Array> {
  const encrypter = new Encrypter()
  encrypter.setPassphrase(passphrase)
  return encrypter.encrypt(secret)
}

/** What an age file holds, or undefined if the passphrase does not open it. */
export async function unwrapWithPassphrase(file: Uint8Array, passphrase: string): Promise<string | undefined> {
  const decrypter = new Decrypter()
  decrypter.addPassphrase(passphrase)
  return decrypter.decrypt(file, 'text').catch(() => undefined)
}

export function toArmor(file: Uint8Array): string {
  return armor.encode(file)
}

/** Throws when the text is not an armoured age file. */
export function fromArmor(text: string): Uint8Array {
  return armor.decode(text)
}
