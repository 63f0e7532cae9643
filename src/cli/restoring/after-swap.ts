import { AppError } from '../../core/app-error.ts'
import { takeTemporaryDatabase } from '../../postgres/server/temporary-database.ts'
import { type ConnectionTarget, withDatabase } from '../../postgres/target/connection-target.ts'
import { restoreEverything } from '../../repository/backups/restore-plan.ts'
import { checkReplaceable } from '../../restore/in-place/check-replaceable.ts'
import { swapIn } from '../../restore/in-place/restore-in-place.ts'
import { claimName, isKept, keptName } from '../../restore/in-place/set-aside.ts'
import { dropSaved, findKept, undoSwap } from '../../restore/in-place/undo.ts'
import { isThere } from '../../restore/in-place/swap-names.ts'
import { dropUnfinished, findUnfinished } from '../../restore/in-place/unfinished.ts'
import { connectForMaintenance } from '../../restore/maintenance-connection.ts'
import type { CommandContext } from '../command-context.ts'
import type { WayOptions } from '../commands/restore.ts'
import type { Outcome } from '../define-command.ts'
import { hooksOf } from '../hooks/command-hooks.ts'
import { locateBackup } from '../repositories/locate-backup.ts'
import { formatBytes, formatTime } from '../../core/text/format.ts'
import { printable } from '../../core/text/printable.ts'
import { findLive, nameOfLive } from './find-target.ts'
import { describeSwap, markEnded, swapOptions, takePlace } from './restore-in-place.ts'
import { backUpBefore, backUpDropped } from './safety-backup.ts'
import { toldPlace } from './told-place.ts'
import { tellWritten } from './written-since.ts'

/** Swaps back what the newest restore in place, or the newest undo, has replaced. */
export async function undoRestore(options: WayOptions, context: CommandContext): Promise<Outcome> {
  const { target, name: database, maintenance, held } = await claim(options, context)
  await using _ = held
  const { colors } = context.terminal
  const kept = (await findKept(maintenance, target, context)).at(-1)
  if (!kept) throw nothingKept(target)
  const hasName = await isThere(maintenance, target.database)
  if (hasName) await checkReplaceable(maintenance, target, context)
  const written = hasName ? await tellWritten(kept, target, options, context) : undefined
  const hooks = await hooksOf(database, options, context)
  const facts = { database, backup: kept.record.backup, target: target.database }
  const { result: swap, ...ended } = await hooks.around(
    'restore',
    facts,
    () => undoSwap(maintenance, target, kept, swapOptions(options, context)),
    () => ({ outcome: 'done' }),
  )
  const failure = swap ? await markEnded(target, swap, ended.failure, context) : ended.failure
  return {
    ...(failure && { failure }),
    document: { database: target.database, undone: kept.record, written, swap: swap ?? null },
    text:
      `${colors.good('undone')}: ${colors.strong(printable(target.database))} is again what it was until ${formatTime(new Date(kept.record.at))}\n` +
      (swap
        ? await describeSwap(swap, target, undefined, { to: options.to ?? database }, context)
        : '  nothing had the name\n'),
  }
}

/** Drops what restores in place have set aside, each after a backup of it. */
export async function finishRestore(options: WayOptions, context: CommandContext): Promise<Outcome> {
  const { target, maintenance, held } = await claim(options, context)
  await using _ = held
  const { colors } = context.terminal
  const dropped: { database: string; bytes: number; safetyBackup: string | null }[] = []
  const all = await findKept(maintenance, target, context)
  if (all.length > 0 && !(await isThere(maintenance, target.database))) {
    const { database } = target
    const kept = all.map(({ name }) => name).join(', ')
    throw new AppError('database-missing', `nothing is called ${JSON.stringify(database)} now, and ${kept} was it`, {
      hint: 'nothing was dropped; --undo gives it its name back',
    })
  }
  const notes = await dropUnfinished(maintenance, target, context)
  if (all.length + notes.length === 0) throw nothingKept(target)
  const last = all.at(-1)
  if (last && !last.record.ended) {
    const at = formatTime(new Date(last.record.at))
    notes.push(
      `the run that swapped the names at ${at} did not end: start what its hooks stopped, and do what after_restore does`,
    )
  }
  for (const kept of all) {
    const name = keptName(kept.record)
    const save = (now: string) => backUpDropped(name, withDatabase(target, now), options, context)
    const { saved, notes: gone } = await dropSaved(maintenance, kept, save, context)
    notes.push(...gone)
    dropped.push({ database: name, bytes: kept.bytes, safetyBackup: saved ?? null })
  }
  const lines = dropped.map(
    ({ database, bytes, safetyBackup }) =>
      `${colors.good('dropped')} ${printable(database)}, ${formatBytes(bytes)}` +
      `${safetyBackup === null ? '' : `; it is in backup ${colors.strong(safetyBackup)}`}\n`,
  )
  return {
    document: { database: target.database, dropped, notes },
    text: lines.join('') + notes.map((note) => `  ${colors.warning('note')}: ${printable(note)}\n`).join(''),
  }
}

function nothingKept({ database }: ConnectionTarget): AppError {
  return new AppError(
    'nothing-to-resume',
    `nothing was set aside by a restore in place of ${JSON.stringify(database)}`,
    { hint: 'nothing was changed' },
  )
}

/** Goes on where a killed run stopped: restores again, swaps, or does what follows the swap. */
export async function resumeRestore(options: WayOptions, context: CommandContext): Promise<Outcome> {
  const { target, name: database, maintenance, held } = await claim(options, context)
  await using claimed = held
  const { colors } = context.terminal
  const { name, record } = await findUnfinished(maintenance, target, context)
  const hooks = await hooksOf(database, options, context)
  const facts = { database, backup: record.backup, target: target.database }
  if (isKept(record)) {
    // the run that was killed has stopped what its hooks stop
    const ended = await hooks.aroundPart(
      'restore',
      facts,
      async () => undefined,
      () => ({ outcome: 'done' }),
    )
    const failure = await markEnded(target, { kept: name }, ended.failure, context)
    const at = formatTime(new Date(record.at))
    return {
      ...(failure && { failure }),
      document: { database: target.database, swap: record },
      text: `${colors.good('resumed')}: the names were swapped at ${at}, and what follows is done; ${printable(name)} is kept\n`,
    }
  }
  if (!(await takeTemporaryDatabase(maintenance, name, context))) {
    throw new AppError('target-busy', `the run that restores into ${name} is alive`, {
      hint: 'wait until it has ended',
    })
  }
  if (record.state === 'verified') {
    await checkReplaceable(maintenance, target, context)
    const settings = await context.settings()
    let safety: string | undefined
    const swapping = (begin: () => Promise<void>) =>
      swapIn(
        target,
        { name, record },
        {
          ...swapOptions(options, context),
          place: toldPlace(target, options.to ?? database, settings),
          stopWriters: begin,
          saveOld: async (kept) => {
            safety = await backUpBefore(kept, target, options, context)
          },
        },
      )
    const ended = await hooks.aroundPart('restore', facts, swapping, () => ({ outcome: 'done' }))
    const swap = ended.result
    const failure = await markEnded(target, swap, ended.failure, context)
    return {
      ...(failure && { failure }),
      document: { backup: record.backup, database: target.database, swap, safetyBackup: safety ?? null },
      text:
        `${colors.good('resumed')}: ${colors.strong(printable(target.database))} is now what backup ${record.backup} holds\n` +
        (await describeSwap(swap, target, safety, { to: options.to ?? database }, context)),
    }
  }
  await claimed.disposeAsync() // it begins anew, and drops what there is
  const { backup, found } = await locateBackup({ kind: 'id', prefix: record.backup }, context)
  const { roleMap, createRoles, ...others } = record.choices
  const choices = { ...restoreEverything, ...others, roleMap: new Map(roleMap) }
  return await takePlace(found.repository, backup, target, { choices, createRoles }, options, context)
}

/** Drops what a killed run has restored beside the database, which is as it was. */
export async function abortRestore(options: WayOptions, context: CommandContext): Promise<Outcome> {
  const { target, maintenance, held } = await claim(options, context)
  await using _ = held
  const notes = await dropUnfinished(maintenance, target, context)
  if (notes.length === 0) {
    throw new AppError(
      'nothing-to-resume',
      `no restore in place of ${JSON.stringify(target.database)} was left unfinished`,
      {
        hint: 'nothing was changed; what a swap has replaced comes back with --undo',
      },
    )
  }
  return { document: { database: target.database, notes }, text: notes.map((note) => `${printable(note)}\n`).join('') }
}

/** A session on the server that excludes all other work in place of the database. */
async function claim(options: WayOptions, context: CommandContext) {
  const target = await findLive(options.to, undefined, context)
  await using owned = new AsyncDisposableStack()
  const maintenance = owned.use(await connectForMaintenance(target, context))
  await claimName(maintenance, target.database, context)
  const { config } = await context.settings()
  const [only] = config?.databases.keys() ?? [] // without --to there is only one
  const name = await nameOfLive(options.to ?? only, target.database, context)
  return { target, name, maintenance, held: owned.move() }
}
