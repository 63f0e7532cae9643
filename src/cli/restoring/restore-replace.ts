import { AppError } from '../../core/app-error.ts'
import { type ConnectionTarget, describeTarget } from '../../postgres/target/connection-target.ts'
import type { Backup } from '../../repository/backups/open-backup.ts'
import type { DatabaseObject } from '../../restore/replace/database-objects.ts'
import { type Replacement, replaceDatabase } from '../../restore/replace/replace-database.ts'
import { describeObject } from '../../restore/replace/scene.ts'
import { listSome } from '../../core/text/list-some.ts'
import type { CommandContext } from '../command-context.ts'
import type { Settings } from '../settings/settings.ts'
import type { WayOptions } from '../commands/restore.ts'
import { choicesOf } from '../databases/restore-choices.ts'
import type { Outcome } from '../define-command.ts'
import { hooksOf } from '../hooks/command-hooks.ts'
import type { BackupReference } from '../repositories/backup-reference.ts'
import { locateBackup, withOthers } from '../repositories/locate-backup.ts'
import { confirmName } from '../terminal/confirm-name.ts'
import { formatQuantity, formatTime } from '../../core/text/format.ts'
import { printable } from '../../core/text/printable.ts'
import { redactPasswords } from '../../core/text/redact-passwords.ts'
import { shellWord } from '../../core/text/shell-word.ts'
import { findLive, nameOfLive } from './find-target.ts'
import { describeRestored } from './restore-new.ts'
import { backUpForGood, isBeforeReplace, nameBeforeReplace } from './safety-backup.ts'
import { toldPlace } from './told-place.ts'

/** Into a database that is in use, in the place of what is in it. */
export async function restoreReplacing(
  reference: BackupReference,
  options: WayOptions,
  context: CommandContext,
): Promise<Outcome> {
  const startedMs = performance.now()
  const { backup, found, others } = await locateBackup(reference, context)
  const target = await findLive(options.to, backup.record.database, context)
  const settings = await context.settings()
  const { environment, signal, onProgress } = context
  const comeBack = (id: string) => commandFor(id, target, options, settings)
  const restore = (begin: () => Promise<void>) =>
    replaceDatabase(found.repository, backup, target, {
      choices: choicesOf(options),
      createRoles: options.createRoles,
      skipDamaged: options.skipDamaged,
      jobs: options.jobs ?? settings.jobs,
      analyze: options.analyze,
      environment,
      comeBack,
      isSafetyBackup: (id) => isBeforeReplace(id, target, context),
      confirm: async (replacement) => {
        if (!context.terminal.json) {
          context.terminal.printError(announcement(replacement, backup, target, { comeBack, context }))
        }
        await confirmName(target.database, options.confirm, context)
        await begin()
      },
      backUp: (selection) => {
        const comment = `before restore of ${backup.id}`
        const subject = { name: nameBeforeReplace(target), selection, comment, jobs: options.jobs }
        return backUpForGood(target, subject, context)
      },
      onProgress,
      signal,
    }).catch((error: unknown) => {
      // of what a signal stops, nothing else is told than that
      if (signal.aborted && error instanceof AppError && error.hint !== undefined) {
        context.terminal.warn(printable(redactPasswords(`${error.message}: ${error.hint}`)))
      }
      throw withOthers(error, others)
    })
  const live = await nameOfLive(options.to, backup.record.database, context)
  const hooks = await hooksOf(live, options, context)
  const facts = { database: backup.record.database, backup: backup.id, target: target.database }
  const { result: outcome, failure } = await hooks.aroundPart('restore', facts, restore, ({ lost }) => ({
    outcome: lost.length === 0 ? 'done' : 'incomplete',
  }))
  const { safetyBackup } = outcome
  const verified = outcome.lost.length === 0 ? ['compared with what was backed up: equal'] : []
  const back = [`what was there before comes back with: ${comeBack(safetyBackup)}`]
  const restored = describeRestored(backup, { ...outcome, notes: [...verified, ...outcome.notes, ...back] }, options, {
    context,
    tookMs: Math.round(performance.now() - startedMs),
    failure,
  })
  return { ...restored, document: { ...restored.document, notes: outcome.notes, verified: verified.length > 0 } }
}

function commandFor(id: string, target: ConnectionTarget, { to, confirm }: WayOptions, settings: Settings): string {
  return [
    `pgrevive restore ${id} --replace`,
    toldPlace(target, to, settings),
    ...(confirm === undefined ? [] : [`--confirm ${shellWord(confirm)}`]),
  ]
    .filter((words) => words !== '')
    .join(' ')
}

function announcement(
  { scene, unfinished, atOnce }: Replacement,
  backup: Backup,
  target: ConnectionTarget,
  { comeBack, context }: { readonly comeBack: (id: string) => string; readonly context: CommandContext },
): string {
  const { strong, warning } = context.terminal.errorColors
  const { drops, stays, largeObjects } = scene
  const others = stays.filter(({ identity }) => identity !== 'public')
  const dropped = [
    ...countTypes(drops),
    ...(largeObjects.length > 0 ? [formatQuantity(largeObjects.length, 'large object')] : []),
  ]
  const lines = [
    `dropped: ${dropped.join(', ') || 'nothing, it is empty'}`,
    ...(others.length > 0 ? [`stays: ${listSome(others.map(describeObject))}`] : []),
    'before that, sessions in it are ended, tables can be read and not written to, and the database is backed up as it is then',
    ...(unfinished ? ['a restore into it did not end: what it has left is not backed up again'] : []),
    atOnce
      ? 'everything is one transaction: whoever looks sees the old contents or the new ones, and a failure leaves the old ones'
      : 'once it is dropped, a failure leaves a part of the backup, which is marked as such',
    ...wayBack(unfinished, comeBack),
  ]
  const title = `${backup.id} of ${formatTime(new Date(backup.record.snapshot.at))} takes the place of what is in ${describeTarget(target)}`
  return `${warning('replace')}: ${strong(printable(title))}\n${lines.map((line) => `  ${printable(line)}\n`).join('')}`
}

function wayBack(unfinished: Replacement['unfinished'], comeBack: (id: string) => string): string[] {
  const command = `this brings back what was there before: ${comeBack(unfinished?.safetyBackup ?? 'ID')}`
  return unfinished ? [command] : [command, 'ID: that of the backup, pinned, and told as soon as it is there']
}

/** `2 schemas, 12 tables` */
function countTypes(objects: readonly DatabaseObject[]): string[] {
  const counts = Map.groupBy(objects, ({ type }) => type)
  return [...counts].map(([type, those]) =>
    formatQuantity(those.length, type, type.endsWith('s') ? `${type}es` : `${type}s`),
  )
}
