import { z } from 'zod'
import type { AbortOptions } from '../../store/object-store.ts'
import type { RepositoryConfig } from '../repository-config.ts'
import type { RepositoryContext } from '../repository-context.ts'
import { putStatement, statements } from '../sessions/stored-record.ts'

/** An age recipient, whose identity reads; or the 16 hex digits that a key file without an identity is known by. */
const keyName = z.string().regex(/^(age1[0-9a-z]{10,}|[0-9a-f]{16})$/)

const changeSchema = z.object({
  format: z.literal(1),
  added: z.array(
    z.object({
      key: keyName,
      label: z.string().optional(),
      /** The identity of `key`, in an armoured age file for a passphrase. */
      passphrase: z.string().optional(),
    }),
  ),
  removed: z.array(keyName),
})

/** Who is to have access from now on, and who no more: one statement, and so both or neither. */
export type AccessChange = z.output<typeof changeSchema>

interface StoredChange extends AccessChange {
  readonly savedAt: Date
}

export type KeyKind = 'X25519' | 'post-quantum' | 'tag' | 'write-only'

/** A key of a repository, as far as the repository knows it. */
export interface KnownKey {
  readonly key: string
  readonly kind: KeyKind
  /** Whether a passphrase opens its identity. */
  readonly hasPassphrase: boolean
  readonly label: string | undefined
  /** By the store's clock. */
  readonly since: Date
  /** False for what was begun and stopped: one that was added and is not in `config` yet, or removed and still in it. */
  readonly isInEffect: boolean
}

/** What the changes make of a `config`. */
export interface Access {
  /** Never empty: a removal that would leave nobody who reads is not obeyed. */
  readonly recipients: readonly string[]
  readonly passphrase: { readonly recipient: string; readonly file: string } | undefined
  readonly keys: readonly KnownKey[]
}

export function isRecipient(key: string): boolean {
  return key.startsWith('age1')
}

export function kindOf(key: string): KeyKind {
  if (!isRecipient(key)) return 'write-only'
  if (key.startsWith('age1pq1')) return 'post-quantum'
  return /^age1tag(pq)?1/.test(key) ? 'tag' : 'X25519'
}

/** Resolves once the change is durable; `settleAccess` brings it into effect. */
export async function putChange(
  context: RepositoryContext,
  change: Omit<AccessChange, 'format'>,
  options: AbortOptions = {},
): Promise<void> {
  await putStatement(context, { kind: 'access', body: changeSchema.parse({ format: 1, ...change }) }, options)
}

/** What the changes that are stored now make of `config`. What can not be read of them is for `check` to tell. */
export async function readAccess(
  context: RepositoryContext,
  config: RepositoryConfig,
  options: AbortOptions = {},
): Promise<Access> {
  const changes: StoredChange[] = []
  for await (const statement of statements(context, 'access', options)) {
    const { data } = changeSchema.safeParse(statement.state === 'saved' ? statement.body : undefined)
    if (data && statement.state === 'saved') changes.push({ ...data, savedAt: statement.savedAt })
  }
  return accessOf(config, changes)
}

/**
 * The same of any `config` between the first change and the last, so that whoever stopped half-way, or ran beside others,
 * can be finished by the next.
 */
export function accessOf(config: RepositoryConfig, changes: readonly StoredChange[]): Access {
  const state = new Map<string, { readonly label: string | undefined; readonly since: Date }>()
  const gone: typeof state = new Map()
  const files = new Map<string, string>()
  const ofConfig = passphraseOf(config)
  if (ofConfig) files.set(ofConfig.recipient, ofConfig.file)
  const createdAt = new Date(config.createdAt)
  for (const key of firstRecipients(config, changes)) state.set(key, { label: undefined, since: createdAt })
  for (const { added, removed, savedAt } of changes) {
    for (const { key, label, passphrase } of added) {
      state.set(key, { label, since: savedAt })
      if (passphrase !== undefined) files.set(key, passphrase)
    }
    for (const key of removed) {
      const others = Array.from(state.keys()).some((other) => other !== key && isRecipient(other))
      if (!others && isRecipient(key)) continue
      gone.set(key, state.get(key) ?? { label: undefined, since: createdAt })
      state.delete(key)
    }
  }
  const recipients = Array.from(state.keys()).filter(isRecipient)
  const [recipient] = recipients.filter((key) => files.has(key)).slice(-1)
  const file = recipient === undefined ? undefined : files.get(recipient)
  const leaving = Array.from(gone).filter(([key]) => config.recipients.includes(key) && !state.has(key))
  const keys = [...state, ...leaving].map(([key, { label, since }]) => ({
    key,
    kind: kindOf(key),
    hasPassphrase: key === recipient,
    label,
    since,
    isInEffect: !isRecipient(key) || config.recipients.includes(key) === state.has(key),
  }))
  const passphrase = recipient === undefined || file === undefined ? undefined : { recipient, file }
  return { recipients, passphrase, keys }
}

/** Of the repository as it was created: nobody said that they were added. */
function firstRecipients(config: RepositoryConfig, changes: readonly StoredChange[]): Set<string> {
  const first = new Map<string, boolean>()
  for (const { added, removed } of changes) {
    for (const { key } of added) if (!first.has(key)) first.set(key, false)
    for (const key of removed.filter(isRecipient)) if (!first.has(key)) first.set(key, true)
  }
  const removed = Array.from(first).flatMap(([key, wasThere]) => (wasThere ? [key] : []))
  return new Set([...config.recipients.filter((key) => !first.has(key)), ...removed])
}

/** `init` puts the recipient whose identity a passphrase opens last, and names it only since keys can be added. */
function passphraseOf(config: RepositoryConfig): Access['passphrase'] {
  const recipient = config.passphraseRecipient ?? config.recipients.at(-1)
  return config.passphrase === undefined || recipient === undefined ? undefined : { recipient, file: config.passphrase }
}
