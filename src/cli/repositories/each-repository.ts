import { type AppError, inContext } from '../../core/app-error.ts'
import { type BackupReference, describeBackupReference } from './backup-reference.ts'
import type { CommandContext } from '../command-context.ts'
import type { Outcome } from '../define-command.ts'
import { errorDocument } from '../terminal/error-text.ts'
import { locateBackup } from './locate-backup.ts'
import { printable } from '../../core/text/printable.ts'
import { type FailedRepository, expected } from './repository-access.ts'
import { requireRepositories } from '../settings/settings.ts'

/**
 * Runs a command that works on one repository on every one of the settings, one after the other. One that fails does not
 * stop the others; the outcome tells of all, and has failed if one has.
 */
export async function runOnEach(
  run: (context: CommandContext) => Promise<Outcome>,
  context: CommandContext,
): Promise<Outcome> {
  const settings = await context.settings()
  const repositories = requireRepositories(settings)
  if (repositories.length === 1) return run(context)
  const documents: Outcome['document'][] = []
  const texts: string[] = []
  const failures: FailedRepository[] = []
  const latest = new Map<string, Promise<BackupReference>>()
  const latestOfAll = (reference: BackupReference): Promise<BackupReference> => {
    const name = describeBackupReference(reference)
    const found = latest.get(name) ?? idOfLatest(reference, context)
    latest.set(name, found)
    return found
  }
  let exitCode = 0
  for (const repository of repositories) {
    const { name } = repository
    const heading = context.terminal.colors.strong(printable(name))
    try {
      const narrowed = { ...context, latestOfAll, settings: async () => ({ ...settings, repositories: [repository] }) }
      const { document, text, failure, exitCode: code = 0 } = await run(narrowed)
      exitCode = Math.max(exitCode, code)
      if (failure) failures.push({ name, error: failure })
      documents.push({ repository: name, ...document, ...(failure && { error: errorDocument(failure) }) })
      texts.push(`${heading}\n${text}`)
    } catch (thrown) {
      const error = expected(thrown, context)
      failures.push({ name, error })
      documents.push({ repository: name, error: errorDocument(error) })
      context.terminal.warn(printable(`${name}: ${error.message}`))
    }
  }
  const outcome = { document: { repositories: documents }, text: texts.join('\n'), exitCode }
  if (failures.length === 0) return outcome
  return { ...outcome, failure: failureOf(failures, repositories.length) }
}

/** Asked for once, before anything is changed: the first repository may lose it before the second is asked. */
async function idOfLatest(reference: BackupReference, context: CommandContext): Promise<BackupReference> {
  return { kind: 'id', prefix: (await locateBackup(reference, context)).backup.id }
}

/** That some repositories of several could not do it; the code is that of the first. */
export function failureOf([first, ...others]: readonly FailedRepository[], all: number): AppError {
  if (!first) throw new Error('nothing failed')
  return inContext(`${others.length + 1} of ${all} repositories failed; ${printable(first.name)}`, first.error)
}
