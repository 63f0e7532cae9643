import { createSecretKey } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { AppError, hasCode } from '../core/app-error.ts'
import type { AbortOptions, ObjectStore } from '../store/object-store.ts'
import { fromArmor, unwrapWithIdentities, unwrapWithPassphrase } from './keys/age.ts'
import { damagedObject } from './objects/damaged-object.ts'
import { deriveKeys, repositorySecretBytes } from './keys/derived-keys.ts'
import { readHandedOver } from './keys/handed-over.ts'
import { RepositoryKey } from './keys/key-file.ts'
import { KeyRing } from './keys/key-ring.ts'
import { configCopyKey, configKey } from './objects/object-keys.ts'
import { isAuthentic, readConfig, type RepositoryConfig } from './repository-config.ts'
import type { RepositoryContext } from './repository-context.ts'
import { Repository } from './repository.ts'
import { TombstoneBook } from './sessions/tombstones.ts'

/** What may open a repository: keys of this and of others, and a passphrase. */
export interface Unlock {
  readonly keys: readonly RepositoryKey[]
  readonly passphrase?: string | undefined
}

/**
 * Opens a repository with the keys among `unlock` that fit. A damaged `config` is replaced by its copy. Rejects with
 * `repository-missing`, `repository-newer`, `repository-replaced` (a key pins another secret or another id),
 * `key-missing`, `key-wrong` or `object-damaged`.
 */
export async function openRepository(
  store: ObjectStore,
  unlock: Unlock,
  options: AbortOptions = {},
): Promise<Repository> {
  let failure: AppError | undefined
  let tried: RepositoryConfig | undefined
  for (const key of [configKey, configCopyKey] as const) {
    try {
      const config = await readConfig(store, key, options)
      if (isDeepStrictEqual(config, tried)) break
      tried = config
      return await openWithConfig(store, { key, config }, unlock)
    } catch (error) {
      if (!hasCode(error, 'object-missing', 'object-damaged', 'repository-replaced', 'key-wrong')) throw error
      if (failure === undefined || failure.code === 'object-missing') failure = error
    }
  }
  if (failure?.code !== 'object-missing') throw failure
  throw new AppError('repository-missing', `there is no repository in ${store.location}`, {
    cause: failure,
    hint: 'check the place, or create one with "pgrevive init"',
  })
}

/** An opened repository for a secret that is known to be right; for `fit` see `KeyRing`. */
export function repositoryWith(
  store: ObjectStore,
  parts: {
    readonly config: RepositoryConfig
    readonly secret: Buffer
    readonly identities: readonly string[]
    readonly writerId?: string | undefined
    readonly fit: () => Promise<boolean>
  },
): Repository {
  const { config, secret, identities, writerId, fit } = parts
  const keys = deriveKeys(secret)
  const tombstones = new TombstoneBook(store, keys.metadata)
  const key = new RepositoryKey({ identities, writer: { repositoryId: config.id, secret, id: writerId } })
  const keyRing = new KeyRing(identities, { fit, readHandedOver: () => readHandedOver(context, identities) })
  const context: RepositoryContext = { store, config, secret: createSecretKey(secret), keys, keyRing, tombstones }
  return new Repository(context, key)
}

async function openWithConfig(
  store: ObjectStore,
  { key: configObject, config }: { readonly key: string; readonly config: RepositoryConfig },
  unlock: Unlock,
): Promise<Repository> {
  const fitting = unlock.keys.filter(({ repositoryId }) => repositoryId === undefined || repositoryId === config.id)
  if (fitting.length === 0 && unlock.passphrase === undefined) throw noFittingKey(store, unlock)
  const identities = fitting.flatMap((key) => key.identities)
  // beside a key that fits, a passphrase that the repository does not have is meant for another one
  const takesPassphrase = config.passphrase !== undefined || fitting.length === 0
  if (unlock.passphrase !== undefined && takesPassphrase) {
    identities.push(await identityInConfig(configObject, config, unlock.passphrase))
  }

  const pinned = fitting.flatMap(({ secret }) => (secret ? [secret] : []))
  const isRight = (secret: Buffer) => isAuthentic(config, deriveKeys(secret).config)
  const opensConfig = () => secretInConfig(configObject, config, identities)
  const known = pinned.find(isRight)
  if (known) {
    const fit = async () => (await opensConfig())?.equals(known) === true
    const writerId = fitting.find((key) => key.writerId !== undefined)?.writerId
    return repositoryWith(store, { config, secret: known, identities, writerId, fit })
  }
  const secret = await opensConfig()
  if (!secret || !isRight(secret)) throw notAuthentic(store, configObject, { pinned, unwrapped: secret })
  if (pinned.length > 0) throw replaced(store)
  return repositoryWith(store, { config, secret, identities, fit: async () => true })
}

async function identityInConfig(key: string, config: RepositoryConfig, passphrase: string): Promise<string> {
  if (config.passphrase === undefined) {
    throw new AppError('key-wrong', 'the repository has no passphrase', { hint: 'use its key file' })
  }
  const identity = await unwrapWithPassphrase(await armored(key, config.passphrase), passphrase)
  if (identity === undefined)
    throw new AppError('key-wrong', 'the passphrase is wrong', {
      hint: 'check PGREVIVE_PASSPHRASE; the recovery kit opens the repository too, with --key-file',
    })
  return identity.trim()
}

/** Undefined if none of the identities opens it. */
async function secretInConfig(
  key: string,
  config: RepositoryConfig,
  identities: readonly string[],
): Promise<Buffer | undefined> {
  const secret = await unwrapWithIdentities(await armored(key, config.secret), identities)
  return secret?.length === repositorySecretBytes ? Buffer.from(secret) : undefined
}

async function armored(key: string, text: string): Promise<Uint8Array> {
  try {
    return await fromArmor(text)
  } catch (error) {
    throw damagedObject(key, error)
  }
}

function noFittingKey(store: ObjectStore, unlock: Unlock): AppError {
  if (unlock.keys.length > 0) return replaced(store)
  return new AppError('key-missing', `no key for the repository in ${store.location}`, {
    hint: 'give the key file that "pgrevive init" wrote, or the passphrase',
  })
}

function notAuthentic(
  store: ObjectStore,
  configObject: string,
  { pinned, unwrapped }: { readonly pinned: readonly Buffer[]; readonly unwrapped: Buffer | undefined },
): AppError {
  if (unwrapped && pinned.every((secret) => secret.equals(unwrapped))) {
    return damagedObject(configObject, new Error('it was changed by someone without the key'))
  }
  if (pinned.length > 0) return replaced(store)
  return new AppError('key-wrong', `the key does not open the repository in ${store.location}`, {
    hint: 'use a key of one of its recipients',
  })
}

function replaced(store: ObjectStore): AppError {
  return new AppError(
    'repository-replaced',
    `the repository in ${store.location} is not the one that the key belongs to`,
    {
      hint: 'check the place and the key file; someone may have put another repository there, or changed its config',
    },
  )
}
