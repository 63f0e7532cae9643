import type { AbortOptions } from '../../store/object-store.ts'
import { backupOfProof } from '../backups/backup-record.ts'
import { sealedKey } from '../objects/object-keys.ts'
import type { Repository } from '../repository.ts'

/**
 * Removes the records of backups, those that can not be read too; their data goes with a later `pruneRepository`. The
 * proofs of each go first: a run that is killed in between leaves an unproven backup, and never a proof without its
 * record, which would tell of a loss. `onForgotten` is called for each that is gone.
 */
export async function forgetBackups(
  repository: Repository,
  backups: readonly string[],
  options: AbortOptions & { readonly onForgotten?: ((backup: string) => void) | undefined } = {},
): Promise<void> {
  const { store } = repository
  const proofs = await proofKeys(repository, options)
  for (const backup of backups) {
    for (const key of proofs.get(backup) ?? []) await store.delete(key, options)
    await store.delete(sealedKey('record', backup), options)
    options.onForgotten?.(backup)
  }
  // proofs that were stored meanwhile; those that come later remove themselves, see Repository.saveProof
  const late = await proofKeys(repository, options)
  for (const backup of backups) for (const key of late.get(backup) ?? []) await store.delete(key, options)
}

/** By the id of the backup that each is of. */
async function proofKeys(repository: Repository, options: AbortOptions): Promise<Map<string, string[]>> {
  const keys = new Map<string, string[]>()
  for await (const proof of repository.proofs(options)) {
    const backup = proof.state === 'saved' ? backupOfProof(proof.body) : undefined
    if (backup !== undefined) keys.set(backup, [...(keys.get(backup) ?? []), sealedKey('proof', proof.id)])
  }
  return keys
}
