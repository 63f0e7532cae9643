import { AppError } from '../../core/app-error.ts'
import { isRecipient, type KnownKey } from '../../repository/keys/access.ts'
import { recipientOf } from '../../repository/keys/age.ts'
import { shortKey } from '../../repository/keys/age-identity.ts'
import { keyListHint, type AccessOutcome } from '../../repository/keys/change-access.ts'
import type { Repository } from '../../repository/repository.ts'
import { formatQuantity } from '../../core/text/format.ts'
import { printable } from '../../core/text/printable.ts'
import type { Terminal } from '../terminal/terminal.ts'

export function describeKey({ key, label }: Pick<KnownKey, 'key' | 'label'>): string {
  return label === undefined ? shortKey(key) : `${printable(label)} (${shortKey(key)})`
}

/** By the key or a beginning of it, by its label, or as `passphrase`. Throws `key-unknown`. */
export function findKey(keys: readonly KnownKey[], reference: string): KnownKey {
  const exact = keys.filter(
    ({ key, label, hasPassphrase }) =>
      key === reference || label === reference || (hasPassphrase && reference === 'passphrase'),
  )
  const found = exact.length > 0 ? exact : keys.filter(({ key }) => reference.length >= 6 && key.startsWith(reference))
  const [only] = found
  if (only && found.length === 1) return only
  // it may be a secret key by mistake
  const problem = only
    ? `${found.length} keys of the repository are called so`
    : 'no key of the repository is called so'
  throw new AppError('key-unknown', problem, {
    hint: `${keyListHint}; name one by its label, its recipient or the beginning of that, or as "passphrase"`,
  })
}

/** The keys, as the repository knows them, that this run has opened it with. */
export async function ownKeys({ key }: Repository): Promise<ReadonlySet<string>> {
  const recipients = await Promise.all(key.identities.map(recipientOf))
  return new Set([...recipients, ...(key.writerId === undefined ? [] : [key.writerId])])
}

/** Identities of recipients, among all that fit. */
export async function ownIdentities({ key, recipients }: Repository): Promise<string[]> {
  const found = await Promise.all(
    key.identities.map(async (identity) => (recipients.includes(await recipientOf(identity)) ? [identity] : [])),
  )
  return found.flat()
}

/** What a change of keys did besides, in lines; warns of what it could not do. */
export function describeOutcome({ access, handedOver, wroteKit }: AccessOutcome, terminal: Terminal): string {
  const { dataKeys, unreadable } = handedOver
  if (unreadable > 0) {
    terminal.warn(
      `${formatQuantity(unreadable, 'data key')} can not be opened with this key: what was written with ${unreadable === 1 ? 'it' : 'them'} is readable only to those who read it before`,
    )
  }
  const kinds = new Set(access.keys.filter(({ key }) => isRecipient(key)).map(({ kind }) => kind))
  const lines = [
    ...(dataKeys > 0
      ? [`  ${formatQuantity(dataKeys, 'data key')} of earlier backups wrapped again for all who read`]
      : []),
    ...(wroteKit
      ? ['  restore.py in the repository is written anew: "pgrevive key kit" prints a recovery kit with its SHA-256']
      : []),
    ...(kinds.has('post-quantum') && kinds.size > 1
      ? ['  a quantum computer is kept out only once every key that reads is post-quantum']
      : []),
  ]
  return lines.map((line) => `${line}\n`).join('')
}
