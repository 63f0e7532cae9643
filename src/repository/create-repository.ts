import { randomBytes, randomUUID } from 'node:crypto'
import { AppError } from '../core/app-error.ts'
import { hasObject } from '../store/has-object.ts'
import type { AbortOptions, ObjectStore } from '../store/object-store.ts'
import { generateIdentity, recipientOf, toArmor, wrapForRecipients, wrapWithPassphrase } from './keys/age.ts'
import { deriveKeys, repositorySecretBytes } from './keys/derived-keys.ts'
import type { RepositoryKey } from './keys/key-file.ts'
import { configKey, kitKeys, packPrefix, sealedPrefix } from './objects/object-keys.ts'
import { repositoryWith } from './open-repository.ts'
import { configMac, isAverageChunkBytes, repositoryFormat, writeConfig } from './repository-config.ts'
import type { Repository } from './repository.ts'
import { writeKitFile } from './restore-kit.ts'

const defaultAverageChunkBytes = 128 * 1024
const packBytes = 16 * 1024 * 1024

/**
 * Makes an empty repository and returns it with its key, which exists nowhere else. Without `recipients`, or with a
 * `passphrase`, a fresh identity is made and is part of the key; otherwise the key can only write. `averageChunkBytes`
 * is a power of two from 4 KiB to 4 MiB and can not be changed later. Rejects with `repository-exists`.
 */
export async function createRepository(
  store: ObjectStore,
  options: AbortOptions & {
    readonly recipients?: readonly string[] | undefined
    readonly passphrase?: string | undefined
    readonly averageChunkBytes?: number | undefined
    /** Called before anything is stored: a repository whose key is nowhere would be of no use to anybody. */
    readonly saveKey?: ((repository: Repository) => Promise<void>) | undefined
  } = {},
): Promise<{ readonly repository: Repository; readonly key: RepositoryKey }> {
  const averageBytes = options.averageChunkBytes ?? defaultAverageChunkBytes
  if (!isAverageChunkBytes(averageBytes)) {
    throw new AppError('usage-invalid', `chunks of ${averageBytes} bytes are not possible`, {
      hint: 'name a power of two from 4096 to 4194304',
    })
  }
  await refuseExisting(store, options)

  const recipients = [...(options.recipients ?? [])]
  const identities: string[] = []
  if (recipients.length === 0 || options.passphrase !== undefined) {
    const identity = await generateIdentity()
    identities.push(identity)
    recipients.push(await recipientOf(identity))
  }
  const secret = randomBytes(repositorySecretBytes)
  const [identity] = identities
  const open = {
    format: repositoryFormat,
    id: randomUUID(),
    createdAt: new Date().toISOString(),
    chunker: { kind: 'gear', averageBytes },
    compression: { kind: 'zstd', level: 1 },
    packBytes,
    graceHours: 24,
    commitWindowHours: 1,
    recipients,
    secret: await toArmor(await wrapForRecipients(secret, recipients)),
    ...(options.passphrase !== undefined &&
      identity !== undefined && {
        passphrase: await toArmor(await wrapWithPassphrase(identity, options.passphrase)),
        passphraseRecipient: recipients.at(-1),
      }),
  } as const
  const keys = deriveKeys(secret)
  const config = { ...open, mac: configMac(open, keys.config) }
  const repository = repositoryWith(store, { config, secret, identities, fit: async () => true })
  await options.saveKey?.(repository)
  for (const kit of kitKeys) await writeKitFile(store, kit, keys.config, options)
  await writeConfig(store, config, options) // last: now it counts
  return { repository, key: repository.key }
}

/**
 * Backups whose config was lost can still be saved, as long as nothing is put over them. The copy of a config alone was
 * left by a creation that was stopped.
 */
async function refuseExisting(store: ObjectStore, options: AbortOptions): Promise<void> {
  const isThere =
    (await hasObject(store, configKey, options)) ||
    (await hasAny(store, packPrefix('data'), options)) ||
    (await hasAny(store, sealedPrefix('record'), options))
  if (!isThere) return
  throw new AppError('repository-exists', `there is a repository in ${store.location} already`, {
    hint: 'open it with its key, or choose another place',
  })
}

async function hasAny(store: ObjectStore, prefix: string, options: AbortOptions): Promise<boolean> {
  for await (const _ of store.list(prefix, options)) return true
  return false
}
