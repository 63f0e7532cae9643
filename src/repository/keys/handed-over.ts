import { createHash, type KeyObject } from 'node:crypto'
import { z } from 'zod'
import { hasCode } from '../../core/app-error.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import { Inventory } from '../packs/inventory.ts'
import type { RepositoryContext } from '../repository-context.ts'
import { putStatement, statements } from '../sessions/stored-record.ts'
import { unwrapWithIdentities, wrapForRecipients } from './age.ts'
import { dataKeyBytes, type DataKey } from './data-key.ts'

const bodySchema = z.object({
  format: z.literal(1),
  recipients: z.array(z.string()),
  /** SHA-256, in hex, of the age files that packs hold. */
  dataKeys: z.array(z.string().regex(/^[0-9a-f]{64}$/)),
  /** An age file for `recipients`, in base64: the data keys themselves in this order, 32 bytes each. */
  file: z.base64(),
})
type HandOver = z.output<typeof bodySchema>

type OwnKey = Pick<DataKey, 'key' | 'wrapped'>

export interface HandedOver {
  readonly dataKeys: number
  /** Which the key does not open itself, so that nobody was given them. */
  readonly unreadable: number
}

/**
 * Wraps the data keys of all packs for `recipients`, who thereby read what was written before they came. What was handed
 * to all of them before is not handed over again. Rejects with `key-cannot-read` if the key only writes. `id`: in the place
 * of a damaged object.
 */
export async function handOverDataKeys(
  context: RepositoryContext,
  recipients: readonly string[],
  options: AbortOptions & { readonly id?: string | undefined } = {},
): Promise<HandedOver> {
  const { keyRing } = context
  await Inventory.load(context, { ...options, onDamaged: () => undefined })
  const known = new Set<string>()
  for await (const { dataKeys, recipients: given } of handOvers(context, options)) {
    if (recipients.every((recipient) => given.includes(recipient))) for (const key of dataKeys) known.add(key)
  }
  const found: OwnKey[] = []
  let unreadable = 0
  for (let slot = 0; slot < keyRing.size; slot++) {
    options.signal?.throwIfAborted()
    const wrapped = keyRing.wrapped(slot)
    if (known.has(nameOf(wrapped))) continue
    try {
      found.push({ wrapped, key: await keyRing.unwrap(slot) })
    } catch (error) {
      if (!hasCode(error, 'key-wrong')) throw error
      unreadable++
    }
  }
  if (found.length > 0 || options.id !== undefined) await putHandOver(context, recipients, found, options)
  return { dataKeys: found.length, unreadable }
}

/** For a session, whose packs are stored: hands its own data keys to recipients that were added since it began. */
export async function handOverToAdded(
  context: RepositoryContext,
  now: readonly string[],
  dataKeys: readonly OwnKey[],
  options: AbortOptions = {},
): Promise<void> {
  const added = now.filter((recipient) => !context.config.recipients.includes(recipient))
  if (added.length > 0 && dataKeys.length > 0) await putHandOver(context, added, dataKeys, options)
}

/** What was handed over to any of the identities: data keys by the SHA-256 of their age files in packs, in hex. */
export async function readHandedOver(
  context: RepositoryContext,
  identities: readonly string[],
  options: AbortOptions = {},
): Promise<ReadonlyMap<string, Uint8Array>> {
  const opened = new Map<string, Uint8Array>()
  for await (const { dataKeys, file } of handOvers(context, options)) {
    if (dataKeys.every((name) => opened.has(name))) continue
    const keys = await unwrapWithIdentities(Buffer.from(file, 'base64'), identities)
    for (const [index, name] of dataKeys.entries()) {
      const key = keys?.subarray(index * dataKeyBytes, (index + 1) * dataKeyBytes)
      if (key?.length === dataKeyBytes) opened.set(name, key)
    }
  }
  return opened
}

/** The name of a data key: the SHA-256, in hex, of the age file that packs hold of it. */
export function nameOf(wrapped: Uint8Array): string {
  return createHash('sha256').update(wrapped).digest('hex')
}

async function putHandOver(
  context: RepositoryContext,
  recipients: readonly string[],
  dataKeys: readonly OwnKey[],
  options: AbortOptions & { readonly id?: string | undefined },
): Promise<void> {
  const secrets = Buffer.concat(dataKeys.map(({ key }) => exportKey(key)))
  const body: HandOver = {
    format: 1,
    recipients: [...recipients],
    dataKeys: dataKeys.map(({ wrapped }) => nameOf(wrapped)),
    file: Buffer.from(await wrapForRecipients(secrets, recipients)).toString('base64'),
  }
  await putStatement(context, { kind: 'key', body, id: options.id }, options)
}

function exportKey(key: KeyObject): Buffer {
  return key.export()
}

/** Damaged ones are for `check` to tell. */
async function* handOvers(context: RepositoryContext, options: AbortOptions): AsyncIterable<HandOver> {
  for await (const statement of statements(context, 'key', options)) {
    const { data } = bodySchema.safeParse(statement.state === 'saved' ? statement.body : undefined)
    if (data) yield data
  }
}
