import { hasCode } from '../../core/app-error.ts'
import { removeLeftovers } from '../../postgres/server/leftovers.ts'
import type { Repository } from '../../repository/repository.ts'
import type { CommandContext } from '../command-context.ts'
import { formatQuantity } from '../../core/text/format.ts'
import { printable } from '../../core/text/printable.ts'

/** Removes what killed runs left, in the repository and of this user on this machine, and tells what. */
export async function cleanUpAfterKilledRuns(repository: Repository, context: CommandContext): Promise<void> {
  const { removed, kept } = await removeLeftovers()
  const notes = [
    ...(await removeUnfinished(repository, context)),
    ...removed.map((path) => `removed ${path}, which a killed run had left`),
    ...kept.map((path) => `${path}, which a killed run has left, can not be removed`),
  ]
  const { colors } = context.terminal
  for (const note of notes) context.terminal.say(`${colors.warning('note')}: ${printable(note)}\n`)
}

async function removeUnfinished({ store }: Repository, { signal }: CommandContext): Promise<string[]> {
  try {
    const count = await store.removeAbandoned({ signal })
    return count === 0 ? [] : [`removed ${formatQuantity(count, 'file')} that writers had left unfinished`]
  } catch (error) {
    // to look at a repository needs no right to write
    if (!hasCode(error, 'store-denied', 'store-failed', 'store-full')) throw error
    return [`unfinished files of earlier writers can not be removed: ${error.message}`]
  }
}
