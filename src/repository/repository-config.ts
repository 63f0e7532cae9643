import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import { AppError } from '../core/app-error.ts'
import type { AbortOptions, ObjectStore } from '../store/object-store.ts'
import { largestAverageBytes, smallestAverageBytes } from './chunks/chunker.ts'
import { damagedObject } from './objects/damaged-object.ts'
import { canonicalJson, type JsonValue } from './objects/json-value.ts'
import { configCopyKey, configKey } from './objects/object-keys.ts'

export const repositoryFormat = 1

const averageBytes = z
  .int()
  .min(smallestAverageBytes)
  .max(largestAverageBytes)
  .refine((bytes) => Number.isInteger(Math.log2(bytes)))

const configSchema = z.looseObject({
  format: z.literal(repositoryFormat),
  id: z.guid(),
  createdAt: z.iso.datetime(),
  chunker: z.looseObject({ kind: z.literal('gear'), averageBytes }),
  compression: z.looseObject({ kind: z.literal('zstd'), level: z.int().min(1).max(22) }),
  packBytes: z
    .int()
    .min(64 * 1024)
    .max(1024 * 1024 * 1024),
  graceHours: z.int().min(2),
  commitWindowHours: z.int().min(1),
  recipients: z.array(z.string()).min(1).readonly(),
  /** R, in an armoured age file for the recipients. */
  secret: z.string(),
  /** An identity that opens `secret`, in an armoured age file for a passphrase. */
  passphrase: z.string().optional(),
  /** Whose identity that is; the last recipient where it is not said. */
  passphraseRecipient: z.string().optional(),
  mac: z.string().regex(/^[0-9a-f]{64}$/),
})

/** The clear object that says how a repository is read and written. Authenticated, hence not to be changed. */
export type RepositoryConfig = Readonly<z.infer<typeof configSchema>>

export function isAverageChunkBytes(bytes: number): boolean {
  return averageBytes.safeParse(bytes).success
}

/** HMAC-SHA-256 over the canonical JSON of all members but `mac`, those that this version does not know included. */
export function configMac(config: Readonly<Record<string, unknown>>, key: KeyObject): string {
  const { mac: _, ...covered } = config
  return createHmac('sha256', key)
    .update(canonicalJson(covered as JsonValue)) // it came from JSON
    .digest('hex')
}

export function isAuthentic(config: RepositoryConfig, key: KeyObject): boolean {
  return timingSafeEqual(Buffer.from(config.mac, 'hex'), Buffer.from(configMac(config, key), 'hex'))
}

/** Rejects with `object-missing`, `object-damaged` or `repository-newer`. Nothing in it is to be trusted yet. */
export async function readConfig(
  store: ObjectStore,
  key: typeof configKey | typeof configCopyKey,
  options: AbortOptions = {},
): Promise<RepositoryConfig> {
  const bytes = await store.get(key, options)
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw damagedObject(key, error)
  }
  const { data: newer } = z.object({ format: z.int().min(repositoryFormat + 1) }).safeParse(value)
  if (newer) {
    throw new AppError('repository-newer', `the repository in ${store.location} has format ${newer.format}`, {
      hint: `this pgrevive knows format ${repositoryFormat}; install a newer one`,
    })
  }
  const parsed = configSchema.safeParse(value)
  if (!parsed.success) throw damagedObject(key, new Error(z.prettifyError(parsed.error)))
  return parsed.data
}

/** As it is written, its members in their order. */
export function formatConfig(config: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(`${JSON.stringify(config, undefined, 2)}\n`)
}

export async function writeConfig(
  store: ObjectStore,
  config: RepositoryConfig,
  options: AbortOptions = {},
): Promise<void> {
  const text = formatConfig(config)
  await store.put(configCopyKey, [text], options)
  await store.put(configKey, [text], options)
}
