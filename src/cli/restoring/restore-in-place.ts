import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
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
import { formatBytes, formatDuration, formatQuantity, formatTime } from '../terminal/format.ts'
import { printable, printableLines } from '../terminal/printable.ts'
import { redactPasswords } from '../terminal/redact-passwords.ts'
import { shellWord } from '../terminal/shell-word.ts'
import { findLive } from './find-target.ts'
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
      beforeSwap: async ({ kept }) => {
        await begin()
        safety = await backUpBefore(kept, target, options, context)
      },
    })
  const hooks = await hooksOf(backup.record.database, options, context)
  const facts = { database: backup.record.database, backup: backup.id, target: target.database }
  const { result: outcome, failure } = await hooks.aroundPart('restore', facts, restore, () => ({ outcome: 'done' }))
  await markEnded(target, outcome.swap, context)
  const tookMs = Math.round(performance.now() - startedMs)
  const { colors } = context.terminal
  const notes = outcome.notes.map((note) => `  ${colors.warning('note')}: ${printableLines(note, 4)}\n`)
  const taken = formatTime(new Date(backup.record.snapshot.at))
  return {
    document: { backup: backup.id, ...outcome, safetyBackup: safety ?? null, durationMs: tookMs },
    text:
      `${colors.good('restored')} ${colors.strong(printable(target.database))} in place, as it was ${taken}: ` +
      `${describeAmount(outcome)}, verified, in ${formatDuration(tookMs)}\n` +
      describeSwap(outcome.swap, target, safety, options, context) +
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

/** The last word of a run: what follows the swap has been done. */
export async function markEnded(target: ConnectionTarget, { kept }: Swap, context: CommandContext): Promise<void> {
  await using maintenance = await connectForMaintenance(target, context)
  await endSwap(maintenance, kept, target.database, context)
}

export function describeSwap(
  { kept, at, withoutNameMs, endedSessions }: Swap,
  target: ConnectionTarget,
  safety: string | undefined,
  { to }: Pick<WayOptions, 'to'>,
  { terminal }: Pick<CommandContext, 'terminal'>,
): string {
  const { strong, faint } = terminal.colors
  const named = shellWord(redactPasswords(to ?? target.database))
  const saved = safety === undefined ? '' : `, and as backup ${strong(safety)}`
  const ended = endedSessions === 0 ? '' : `; ${formatQuantity(endedSessions, 'session')} ended`
  return (
    `  swapped at ${formatTime(new Date(at))}, ${withoutNameMs / 1000} s without the name${ended}\n` +
    `  what had the name is kept as ${strong(printable(kept))}${saved}\n` +
    `  ${faint('take it back:')} pgrevive restore --undo --to ${named}\n` +
    `  ${faint('once all is well:')} pgrevive restore --finish --to ${named}\n`
  )
}

function describeAmount({ tables, rows, bytes }: InPlaceOutcome): string {
  return `${formatQuantity(tables, 'table')}, ${formatQuantity(rows, 'row')}, ${formatBytes(bytes)}`
}
