import { hasCode } from '../../core/app-error.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import type { DamageProblem } from './check-report.ts'
import { readAccess } from '../keys/access.ts'
import { isSettled, settleAccess } from '../keys/settle-access.ts'
import { configCopyKey, configKey, kitKeys, type KitKey } from '../objects/object-keys.ts'
import { formatConfig, isAuthentic, readConfig } from '../repository-config.ts'
import type { RepositoryContext } from '../repository-context.ts'
import { isKitFileAuthentic, writeKitFile } from '../restore-kit.ts'

const clearKeys = [configKey, configCopyKey, ...kitKeys] as const
type ClearKey = (typeof clearKeys)[number]

/** What is wrong with the objects that are not encrypted, each of which can be written again. */
export async function checkClearObjects(
  context: RepositoryContext,
  options: AbortOptions,
): Promise<ReadonlyMap<string, DamageProblem>> {
  const problems = new Map<string, DamageProblem>()
  for (const key of clearKeys) {
    const problem = await problemOf(key, context, options)
    if (problem) problems.set(key, problem)
  }
  if (!problems.has(configKey) && !problems.has(configCopyKey)) {
    const outdated = await outdatedConfigs(context, options)
    for (const key of outdated) problems.set(key, 'outdated')
    const changed = outdated.length > 0 ? undefined : await changedConfig(context, options)
    if (changed !== undefined) problems.set(changed, 'hash')
  }
  return problems
}

/** Those that a change of access has not reached: it was stopped, or is under way. */
async function outdatedConfigs(context: RepositoryContext, options: AbortOptions): Promise<string[]> {
  const outdated: string[] = []
  for (const key of [configKey, configCopyKey] as const) {
    const config = await readConfig(context.store, key, options)
    if (!isSettled(config, await readAccess(context, config, options))) outdated.push(key)
  }
  return outdated
}

/** Of two copies that say the same in other bytes: the one that is not as it is written. */
async function changedConfig({ store }: RepositoryContext, options: AbortOptions): Promise<string | undefined> {
  const [text, copy] = [await store.get(configKey, options), await store.get(configCopyKey, options)]
  if (text.equals(copy)) return undefined
  return formatConfig(JSON.parse(text.toString('utf8'))).equals(text) ? configCopyKey : configKey
}

/** Writes `key` again if it is one of these objects. Returns whether it is. */
export async function rewriteClearObject(
  key: string,
  context: RepositoryContext,
  options: AbortOptions,
): Promise<boolean> {
  const { store, keys } = context
  const known = clearKeys.find((clear) => clear === key)
  if (known === undefined) return false
  if (!isKit(known)) {
    const other = known === configKey ? configCopyKey : configKey
    if (await problemOf(other, context, options)) return false // opened with a config that was there a moment ago
    await settleAccess(context, options)
  } else await writeKitFile(store, known, keys.config, options)
  return true
}

function isKit(key: ClearKey): key is KitKey {
  return kitKeys.some((kit) => kit === key)
}

async function problemOf(
  key: ClearKey,
  context: RepositoryContext,
  options: AbortOptions,
): Promise<DamageProblem | undefined> {
  const { store, keys } = context
  try {
    if (isKit(key)) return isKitFileAuthentic(key, await store.get(key, options), keys.config) ? undefined : 'hash'
    const config = await readConfig(store, key, options)
    return config.id === context.config.id && isAuthentic(config, keys.config) ? undefined : 'unreadable'
  } catch (error) {
    if (hasCode(error, 'object-missing')) return 'missing'
    if (hasCode(error, 'object-damaged', 'repository-newer')) return 'unreadable'
    throw error
  }
}
