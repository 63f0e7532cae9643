import { AppError } from '../../core/app-error.ts'
import type { AbortOptions } from '../../store/object-store.ts'
import { type Access, type AccessChange, isRecipient, type KnownKey, putChange, readAccess } from './access.ts'
import { wrapForRecipients } from './age.ts'
import { type HandedOver, handOverDataKeys } from './handed-over.ts'
import { cannotRead } from './key-ring.ts'
import { currentConfig, settleAccess } from './settle-access.ts'
import { kitKeys } from '../objects/object-keys.ts'
import { hasKitFile, writeKitFile } from '../restore-kit.ts'
import type { Repository } from '../repository.ts'

/** All keys that the repository knows, in the order in which they came. */
export async function listKeys({ context }: Repository, options: AbortOptions = {}): Promise<readonly KnownKey[]> {
  return (await readAccess(context, await currentConfig(context, options), options)).keys
}

export interface AccessOutcome {
  readonly access: Access
  readonly handedOver: HandedOver
  /** Whether the restore kit was another version's, which may not know of data keys that are handed over. */
  readonly wroteKit: boolean
}

/**
 * Gives and takes access. Who reads afterwards reads what was written before, too; sessions under way see to theirs when
 * they commit. May be stopped anywhere and run again, and any number of times at once. Rejects with `key-cannot-read` if the key
 * does not read itself, `key-unknown`, `key-last` for a removal that would leave nobody who reads, and `key-invalid`.
 */
export async function changeAccess(
  repository: Repository,
  change: Omit<AccessChange, 'format'>,
  options: AbortOptions = {},
): Promise<AccessOutcome> {
  const { context } = repository
  const added = change.added.map(({ key }) => key).filter(isRecipient)
  const isAboutReading = added.length > 0 || change.removed.some(isRecipient)
  if (isAboutReading && !(await repository.canRead())) throw cannotRead()
  if (added.length > 0) await wrapForRecipients(Buffer.alloc(1), added) // refuses what is no recipient
  const known = await listKeys(repository, options) // with those whose removal was stopped
  const unknown = change.removed.find((removed) => !known.some(({ key }) => key === removed))
  if (unknown !== undefined) throw new AppError('key-unknown', 'the repository has no such key', { hint: keyListHint })
  const { access } = await settleAccess(context, options)
  const recipients = [...new Set([...access.recipients, ...added])].filter((key) => !change.removed.includes(key))
  if (recipients.length === 0) throw lastKey()

  // first, so that nobody counts as a reader who does not read all, and again, for sessions that ended meanwhile
  const before = isAboutReading ? await handOverDataKeys(context, recipients, options) : undefined
  await putChange(context, change, options)
  const settled = await settleAccess(context, options)
  if (change.removed.some((key) => settled.access.keys.some((known) => known.key === key))) throw lastKey()
  const after = isAboutReading ? await handOverDataKeys(context, recipients, options) : undefined
  return {
    access: settled.access,
    handedOver: {
      dataKeys: (before?.dataKeys ?? 0) + (after?.dataKeys ?? 0),
      unreadable: after?.unreadable ?? 0,
    },
    wroteKit: isAboutReading && (await writeKit(repository, options)),
  }
}

async function writeKit({ context: { store, keys } }: Repository, options: AbortOptions): Promise<boolean> {
  let wroteKit = false
  for (const key of kitKeys) {
    if (await hasKitFile(store, key, keys.config, options)) continue
    await writeKitFile(store, key, keys.config, options)
    wroteKit = true
  }
  return wroteKit
}

export const keyListHint = '"pgrevive key list" shows all keys'

function lastKey(): AppError {
  return new AppError('key-last', 'nobody could read new backups any more', {
    hint: 'first give another key access with "pgrevive key add"',
  })
}
