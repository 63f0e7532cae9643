import { AppError } from '../../core/app-error.ts'
import type { Backup } from '../../repository/backups/open-backup.ts'
import type { Loss } from '../../restore/losses.ts'
import type { RestoreOutcome } from '../../restore/restore-job.ts'
import { restoreBackup } from '../../restore/restore-backup.ts'
import type { CommandContext } from '../command-context.ts'
import type { WayOptions } from '../commands/restore.ts'
import { choicesOf } from '../databases/restore-choices.ts'
import type { Outcome } from '../define-command.ts'
import { hooksOf } from '../hooks/command-hooks.ts'
import { describeSelection } from '../../repository/backups/manifest-selection.ts'
import type { BackupReference } from '../repositories/backup-reference.ts'
import { locateBackup, withOthers } from '../repositories/locate-backup.ts'
import { formatBytes, formatDuration, formatQuantity } from '../../core/text/format.ts'
import { printable, printableLines } from '../../core/text/printable.ts'
import { findTarget, isLive } from './find-target.ts'

/** Into a database that does not exist, or that is empty. */
export async function restoreNew(
  reference: BackupReference,
  options: WayOptions,
  context: CommandContext,
): Promise<Outcome> {
  if (options.to === undefined) {
    throw new AppError('usage-invalid', '--to is missing', {
      hint: 'name the database to create: a URL, a connection string, or a name; or --in-place takes the place of the live one',
    })
  }
  const startedMs = performance.now()
  const { backup, found, others } = await locateBackup(reference, context)
  const { repository } = found
  const target = await findTarget(options.to, backup.record.database, context)
  const settings = await context.settings()
  const restore = () =>
    restoreBackup(repository, backup, target, {
      choices: choicesOf(options),
      createRoles: options.createRoles,
      skipDamaged: options.skipDamaged,
      jobs: options.jobs ?? settings.jobs,
      analyze: options.analyze,
      onProgress: context.onProgress,
      signal: context.signal,
    }).catch((error: unknown) => {
      throw withOthers(error, others)
    })
  const { database } = backup.record
  const hooks = await hooksOf(database, { hooks: options.hooks && (await isLive(target, database, context)) }, context)
  const facts = { database, backup: backup.id, target: target.database }
  const { result: outcome, failure } = await hooks.around('restore', facts, restore, ({ lost }) => ({
    outcome: lost.length === 0 ? 'done' : 'incomplete',
  }))
  const tookMs = Math.round(performance.now() - startedMs)
  return describeRestored(backup, outcome, options, { context, tookMs, failure })
}

/** `failure`: of a hook. */
export function describeRestored(
  backup: Backup,
  outcome: RestoreOutcome,
  options: WayOptions,
  { context, tookMs, failure }: { context: CommandContext; tookMs: number; failure: AppError | undefined },
): Outcome {
  if (failure && outcome.lost.length > 0) context.terminal.warn(printableLines(failure.message, 2))
  const { colors } = context.terminal
  const leftOut = describeSelection(backup.record.selection)
  const partial = leftOut === undefined ? [] : [`this backup does not hold everything; left out were ${leftOut}`]
  const notes = [...partial, ...outcome.notes].map(
    (note) => `  ${colors.warning('note')}: ${printableLines(note, 4)}\n`,
  )
  const { lost } = outcome
  const verdict = lost.length === 0 ? colors.good('restored') : colors.bad('restored in part')
  return {
    document: { backup: backup.id, ...outcome, durationMs: tookMs },
    text:
      `${verdict} ${printable(backup.record.database)} as ${colors.strong(printable(outcome.database))}: ` +
      (options.schemaOnly
        ? 'definitions only'
        : `${formatQuantity(outcome.tables, 'table')}, ${formatQuantity(outcome.rows, 'row')}, ${formatBytes(outcome.bytes)}`) +
      ` in ${formatDuration(tookMs)}\n${describeLosses(lost, context)}${notes.join('')}`,
    ...(failure && { failure }),
    ...(lost.length > 0 && {
      failure: new AppError(
        'restore-incomplete',
        `${outcome.database} is not whole: ${lost.map(({ object, problem }) => `${object} ${problem}`).join('; ')}`,
        { hint: 'the comment on the database says so, too; another backup may have what is lost: "pgrevive check"' },
      ),
    }),
  }
}

/** What is damaged, each with what is lost by it. */
function describeLosses(lost: readonly Loss[], { terminal }: CommandContext): string {
  const lines = [...Map.groupBy(lost, ({ damage }) => damage)].flatMap(([damage, losses]) => {
    const heading = `  ${terminal.colors.bad('lost')}: `
    const objects = losses.map(({ object, problem }) => printable(`${object} ${problem}`))
    if (damage === undefined) return objects.map((object) => heading + object)
    return [heading + printable(damage), ...objects.map((object) => `    ${object}`)]
  })
  return lines.map((line) => `${line}\n`).join('')
}
