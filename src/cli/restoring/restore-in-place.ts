import { AppError } from '../../core/app-error.ts'
import { type ConnectionTarget, describeTarget } from '../../postgres/target/connection-target.ts'
import type { Backup } from '../../repository/backups/open-backup.ts'
import type { RestoreChoices } from '../../repository/backups/restore-plan.ts'
import type { Repository } from '../../repository/repository.ts'
import { type InPlaceOutcome, restoreInPlace } from '../../restore/in-place/restore-in-place.ts'
import type { Swap } from '../../restore/in-place/swap-names.ts'
import { endSwap } from '../../restore/in-place/unfinished.ts'
import { connectForMaintenance } from '../../restore/maintenance-connection.ts'
import type { CommandContext } from '../command-context.ts'
import type { WayOptions } from '../commands/restore.ts'
import { choicesOf } from '../databases/restore-choices.ts'
import type { Outcome } from '../define-command.ts'
import { hooksOf } from '../hooks/command-hooks.ts'
import { locateBackup } from '../repositories/locate-backup.ts'
import type { BackupReference } from '../repositories/backup-reference.ts'
import { formatBytes, formatDuration, formatQuantity, formatTime } from '../../core/text/format.ts'
import { printable, printableLines } from '../../core/text/printable.ts'
import { confirmName } from '../terminal/confirm-name.ts'
import { toldPlace } from './told-place.ts'
import { findLive, nameOfLive } from './find-target.ts'
import { backUpBefore } from './safety-backup.ts'

/** Beside the live database, verified, and then under its name. */
export async function restoreOverLive(
  reference: BackupReference,
  options: WayOptions,
  context: CommandContext,
): Promise<Outcome> {
  const { backup, found } = await locateBackup(reference, context)
  const target = await findLive(options.to, backup.record.database, context)
  const choices = { choices: choicesOf(options), createRoles: options.createRoles }
  return takePlace(found.repository, backup, target, choices, options, context)
}

/** What a resumed run does, too. */
export async function takePlace(
  repository: Repository,
  backup: Backup,
  target: ConnectionTarget,
  choices: { readonly choices: RestoreChoices; readonly createRoles: boolean },
  options: WayOptions,
  context: CommandContext,
): Promise<Outcome> {
  const startedMs = performance.now()
  const settings = await context.settings()
  let safety: string | undefined
  const restore = (begin: () => Promise<void>) =>
    restoreInPlace(repository, backup, target, {
      ...choices,
      ...swapOptions(options, context),
      environment: context.environment,
      partial: options.partial,
      jobs: options.jobs ?? settings.jobs,
      analyze: options.analyze,
      onProgress: context.onProgress,
      place: toldPlace(target, options.to ?? backup.record.database, settings),
      stopWriters: begin,
      saveOld: async (kept) => {
        safety = await backUpBefore(kept, target, options, context)
      },
      confirmOther: (backedUp) => confirmOther(backedUp, target, options, context),
    })
  const live = await nameOfLive(options.to, backup.record.database, context)
  const hooks = await hooksOf(live, options, context)
  const facts = { database: backup.record.database, backup: backup.id, target: target.database }
  const ended = await hooks.aroundPart('restore', facts, restore, () => ({ outcome: 'done' }))
  const outcome = ended.result
  const failure = await markEnded(target, outcome.swap, ended.failure, context)
  const tookMs = Math.round(performance.now() - startedMs)
  const { colors } = context.terminal
  const notes = outcome.notes.map((note) => `  ${colors.warning('note')}: ${printableLines(note, 4)}\n`)
  const { database } = backup.record
  const name = database === target.database ? 'it' : printable(database)
  const taken = formatTime(new Date(backup.record.snapshot.at))
  return {
    document: { backup: backup.id, ...outcome, safetyBackup: safety ?? null, durationMs: tookMs },
    text:
      `${colors.good('restored')} ${colors.strong(printable(target.database))} in place, as ${name} was ${taken}: ` +
      `${describeAmount(outcome)}, verified, in ${formatDuration(tookMs)}\n` +
      (await describeSwap(outcome.swap, target, safety, { to: options.to ?? database }, context)) +
      notes.join(''),
    ...(failure && { failure }),
  }
}

export function swapOptions(
  { grace = 10 }: WayOptions,
  { signal, terminal }: CommandContext,
): { graceMs: number; onNotice: (notice: string) => void; signal: AbortSignal } {
  return { graceMs: grace * 1000, onNotice: (notice) => terminal.warn(printable(notice)), signal }
}

/**
 * The last word of a run: what follows the swap has been done. Returns what has failed since then, which does not undo it:
 * a hook, if one did, or this.
 */
export async function markEnded(
  target: ConnectionTarget,
  { kept }: Pick<Swap, 'kept'>,
  failure: AppError | undefined,
  context: CommandContext,
): Promise<AppError | undefined> {
  try {
    await using maintenance = await connectForMaintenance(target, context)
    await endSwap(maintenance, kept, target.database, context)
    return failure
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    if (failure) return failure
    const { code, message, cause } = error
    return new AppError(code, `the names are swapped, but that all is done could not be noted: ${message}`, {
      cause,
      hint: 'the swap stays; "pgrevive restore --resume" notes it, and runs the hooks of after_restore',
    })
  }
}

export async function describeSwap(
  { kept, at, withoutNameMs, endedSessions }: Swap,
  target: ConnectionTarget,
  safety: string | undefined,
  { to }: Pick<WayOptions, 'to'>,
  context: CommandContext,
): Promise<string> {
  const settings = await context.settings()
  const { terminal } = context
  const { strong, faint } = terminal.colors
  const place = toldPlace(target, to, settings)
  const saved = safety === undefined ? '' : `, and as backup ${strong(safety)}`
  const ended = endedSessions === 0 ? '' : `; ${formatQuantity(endedSessions, 'session')} ended`
  return (
    `  swapped at ${formatTime(new Date(at))}, ${withoutNameMs / 1000} s without the name${ended}\n` +
    `  what had the name is kept as ${strong(printable(kept))}${saved}\n` +
    `  ${faint('take it back:')} pgrevive restore --undo ${place}\n` +
    `  ${faint('once all is well:')} pgrevive restore --finish ${place}\n`
  )
}

async function confirmOther(
  backedUp: string,
  target: ConnectionTarget,
  { confirm }: WayOptions,
  context: CommandContext,
): Promise<void> {
  context.terminal.warn(
    printable(`the backup is of ${backedUp}, and would take the place of ${describeTarget(target)}`),
  )
  await confirmName(target.database, confirm, context)
}

function describeAmount({ tables, rows, bytes }: InPlaceOutcome): string {
  return `${formatQuantity(tables, 'table')}, ${formatQuantity(rows, 'row')}, ${formatBytes(bytes)}`
}
