import { AppError, hasCode, messageOf } from '../../core/app-error.ts'
import { type Backup, listBackups, momentOf } from '../../repository/backups/open-backup.ts'
import type { BackupReference } from './backup-reference.ts'
import type { CommandContext } from '../command-context.ts'
import { findBackup } from './find-backup.ts'
import { printable } from '../../core/text/printable.ts'
import { shellWord } from '../../core/text/shell-word.ts'
import { type FailedRepository, type NamedRepository, expected, openRepositories } from './repository-access.ts'

/** A repository with the backups in it. */
export interface ListedRepository extends NamedRepository {
  readonly backups: readonly Backup[]
  readonly damaged: readonly string[]
}

/** Opens all repositories of the settings and lists what is in them. Throws the failure of the first when none can be read. */
export async function listAll(
  context: CommandContext,
): Promise<{ readonly listed: readonly ListedRepository[]; readonly failed: readonly FailedRepository[] }> {
  const { opened, failed } = await openRepositories(context)
  const failures = [...failed]
  const listed: ListedRepository[] = []
  for (const { name, repository } of opened) {
    try {
      listed.push({ name, repository, ...(await listBackups(repository, context)) })
    } catch (error) {
      failures.push({ name, error: expected(error, context) })
    }
  }
  if (listed.length === 0) throw failures[0]?.error
  return { listed, failed: failures }
}

/** The backup of one repository that a reference means; the latest is that of all that the command works on. */
export async function findHere(
  listed: Pick<ListedRepository, 'backups' | 'damaged'>,
  reference: BackupReference,
  { latestOfAll }: CommandContext,
): Promise<Backup> {
  return findBackup(listed, reference.kind === 'latest' && latestOfAll ? await latestOfAll(reference) : reference)
}

/**
 * The backup that a reference means, and a repository that has it: of several the first, or for the latest the first that
 * has the latest of all; `others` are the names of those that have it, too. Those that can not be opened are told of in a
 * warning.
 */
export async function locateBackup(
  reference: BackupReference,
  context: CommandContext,
): Promise<{ readonly backup: Backup; readonly found: ListedRepository; readonly others: readonly string[] }> {
  const { listed, failed } = await listAll(context)
  for (const { name, error } of failed) {
    context.terminal.warn(printable(`${name} is left aside, with what only it may have: ${messageOf(error)}`))
  }
  const located: { readonly backup: Backup; readonly found: ListedRepository }[] = []
  const failures: unknown[] = []
  for (const found of listed) {
    try {
      located.push({ backup: findBackup(found, reference), found })
    } catch (error) {
      failures.push(error)
      if (listed.length > 1 && !hasCode(error, 'backup-unknown')) {
        context.terminal.warn(printable(`${found.name}: ${messageOf(error)}`))
      }
    }
  }
  const [best] =
    reference.kind === 'latest' ? located.toSorted((a, b) => momentOf(b.backup) - momentOf(a.backup)) : located
  if (best === undefined) throw failures.find((error) => !hasCode(error, 'backup-unknown')) ?? failures[0]
  const { backup, found } = best
  const others = listed.filter((one) => one !== found && one.backups.some(({ id }) => id === backup.id))
  return { backup, found, others: others.map(({ name }) => name) }
}

/** What is damaged here may be whole elsewhere. */
export function withOthers(error: unknown, others: readonly string[]): unknown {
  if (others.length === 0 || !hasCode(error, 'object-damaged', 'object-missing')) return error
  const elsewhere = others.map((name) => `--repo ${shellWord(name)}`).join(' or ')
  const hint = `${elsewhere} has this backup, too: restore it from there; then "pgrevive check --repair" and "pgrevive sync"`
  return new AppError(error.code, error.message, { cause: error.cause, hint })
}
