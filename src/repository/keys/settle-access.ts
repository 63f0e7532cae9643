import { setTimeout as delay } from 'node:timers/promises'
import { AppError, hasCode } from '../../core/app-error.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import { damagedObject } from '../objects/damaged-object.ts'
import { configCopyKey, configKey } from '../objects/object-keys.ts'
import { configMac, formatConfig, isAuthentic, readConfig, type RepositoryConfig } from '../repository-config.ts'
import type { RepositoryContext } from '../repository-context.ts'
import { type Access, readAccess } from './access.ts'
import { toArmor, wrapForRecipients } from './age.ts'

/** Others may change who has access at the same time; each of them ends with a look at what all have said. */
const mostRounds = 20

/** `config` as it is now, or its copy; authentic. Rejects with `object-damaged` if neither is. */
export async function currentConfig(context: RepositoryContext, options: AbortOptions = {}): Promise<RepositoryConfig> {
  const found = await readAuthentic(context, configKey, options)
  const config = found ?? (await readAuthentic(context, configCopyKey, options))
  if (config) return config
  throw damagedObject(configKey, new Error('neither it nor its copy can be read'))
}

/**
 * Writes `config` and its copy as the changes of access want them, and returns what they say then. Whoever writes them
 * last has seen every change that was stored before, so none is lost, however many run at once: each stores its change,
 * then reads all, then writes, then reads all again. The copy is written first: at any time one of both is whole.
 */
export async function settleAccess(
  context: RepositoryContext,
  options: AbortOptions = {},
): Promise<{ readonly config: RepositoryConfig; readonly access: Access }> {
  const { store } = context
  for (let round = 0; round < mostRounds; round++) {
    const config = await readAuthentic(context, configKey, options)
    const copy = await readAuthentic(context, configCopyKey, options)
    const base = config ?? copy ?? context.config
    const access = await readAccess(context, base, options)
    // of two that say the same, everybody chooses the same
    const [settled] = [config, copy]
      .filter((candidate) => candidate !== undefined && isSettled(candidate, access))
      .toSorted((a, b) => ((a?.mac ?? '') < (b?.mac ?? '') ? -1 : 1))
    const wanted = settled ?? (await configFor(context, base, access))
    const text = formatConfig(wanted)
    let isDone = true
    for (const key of [configCopyKey, configKey]) {
      if (await holds(context, key, text, options)) continue
      isDone = false
      await store.put(key, [text], options)
    }
    if (isDone) return { config: wanted, access }
    if (round > 0) await delay(Math.random() * 50 * round, undefined, options) // not in step with the others
  }
  throw new AppError('store-failed', `config in ${store.location} changes again and again`, {
    hint: 'others are changing who has access; run "pgrevive key list" to see what is in effect, and then this again',
  })
}

/** Whether `config` says what the changes want. */
export function isSettled(config: RepositoryConfig, { recipients, passphrase }: Access): boolean {
  return (
    config.recipients.length === recipients.length &&
    recipients.every((recipient) => config.recipients.includes(recipient)) &&
    config.passphrase === passphrase?.file
  )
}

async function configFor(
  { secret, keys }: RepositoryContext,
  base: RepositoryConfig,
  { recipients, passphrase }: Access,
): Promise<RepositoryConfig> {
  const { passphrase: _, passphraseRecipient: __, mac: ___, ...rest } = base
  const open = {
    ...rest,
    recipients,
    secret: await toArmor(await wrapForRecipients(secret.export(), recipients)),
    ...(passphrase && { passphrase: passphrase.file, passphraseRecipient: passphrase.recipient }),
  }
  return { ...open, mac: configMac(open, keys.config) }
}

/** Undefined if it is missing, damaged, or not of this repository. */
async function readAuthentic(
  context: RepositoryContext,
  key: typeof configKey | typeof configCopyKey,
  options: AbortOptions,
): Promise<RepositoryConfig | undefined> {
  try {
    const config = await readConfig(context.store, key, options)
    return config.id === context.config.id && isAuthentic(config, context.keys.config) ? config : undefined
  } catch (error) {
    if (hasCode(error, 'object-missing', 'object-damaged')) return undefined
    throw error
  }
}

async function holds({ store }: RepositoryContext, key: string, text: Buffer, options: AbortOptions): Promise<boolean> {
  try {
    return (await store.get(key, options)).equals(text)
  } catch (error) {
    if (hasCode(error, 'object-missing', 'object-damaged')) return false
    throw error
  }
}
