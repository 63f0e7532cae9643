import type { Proof } from '../../repository/backups/backup-record.ts'
import { listProofs } from '../../repository/backups/open-backup.ts'
import { describeTarget } from '../../postgres/target/connection-target.ts'
import { type RestorePreview, previewRestore } from '../../restore/preflight/preview-restore.ts'
import { failureOf } from '../../restore/preflight/preflight-finding.ts'
import type { CommandContext } from '../command-context.ts'
import type { WayOptions } from '../commands/restore.ts'
import { choicesOf } from '../databases/restore-choices.ts'
import type { Outcome } from '../define-command.ts'
import type { BackupReference } from '../repositories/backup-reference.ts'
import { locateBackup } from '../repositories/locate-backup.ts'
import { findingDocuments, findingTable } from '../terminal/finding-table.ts'
import { formatBytes, formatDuration, formatQuantity, formatTime } from '../../core/text/format.ts'
import { printable } from '../../core/text/printable.ts'
import { findLive, findTarget } from './find-target.ts'
import { isBeforeReplace } from './safety-backup.ts'

/** What a restore would do and find, without doing it: `--plan`. */
export async function planRestoring(
  reference: BackupReference,
  options: WayOptions,
  way: 'new' | 'in-place' | 'replace',
  context: CommandContext,
): Promise<Outcome> {
  const { backup, found } = await locateBackup(reference, context)
  const find = way === 'new' ? findTarget : findLive
  const target = await find(options.to, backup.record.database, context)
  const settings = await context.settings()
  const jobs = options.jobs ?? settings.jobs
  const preview = await previewRestore(found.repository, backup, target, {
    way,
    choices: choicesOf(options),
    createRoles: options.createRoles,
    jobs,
    isSafetyBackup: (id) => isBeforeReplace(id, target, context),
    signal: context.signal,
  })
  const proof = (await listProofs(found.repository, context)).get(backup.id)
  const steps = stepsOf(preview, target.database, jobs)
  const failure = failureOf(preview.findings)
  const { strong } = context.terminal.colors
  const { record } = backup
  const list = (lines: readonly string[]) => lines.map((line, index) => `  ${index + 1}. ${printable(line)}\n`).join('')
  return {
    document: {
      backup: backup.id,
      target: describeTarget(target),
      way: preview.way,
      ready: failure === undefined,
      steps,
      findings: findingDocuments(preview.findings.map((finding) => ({ ...finding, remedy: finding.error?.hint }))),
      notes: preview.plan.notes,
      lastProof: proof ? { ...tookOf(proof), outcome: proof.outcome, on: proof.on } : null,
    },
    text:
      `${strong(`restoring ${printable(record.database)} ${backup.id}`)} of ${formatTime(new Date(record.snapshot.at))} ` +
      `as ${printable(describeTarget(target))} would\n${list(steps)}` +
      preview.plan.notes.map((note) => `  ${context.terminal.colors.warning('note')}: ${printable(note)}\n`).join('') +
      `${findingTable(preview.findings, context.terminal)}` +
      `${strong('time')}: ${describeTime(proof)}\nnothing was changed\n`,
    ...(failure && { failure }),
  }
}

function tookOf({ startedAt, finishedAt }: Proof): { readonly at: string; readonly tookMs: number } {
  return { at: finishedAt, tookMs: Date.parse(finishedAt) - Date.parse(startedAt) }
}

function describeTime(proof: Proof | undefined): string {
  if (!proof) return 'unknown: this backup was never proven'
  const { at, tookMs } = tookOf(proof)
  return (
    `${formatDuration(tookMs)} in its proof of ${formatTime(new Date(at))}, which restored and compared it on ` +
    `${printable(proof.on)}; this server may be faster or slower`
  )
}

function stepsOf(preview: RestorePreview, database: string, jobs: number): string[] {
  const { way, manifest, plan, atOnce } = preview
  const { encoding, localeProvider, locale, collate, owner } = manifest.database
  const made = `${encoding}, locale ${localeProvider} ${locale ?? collate}`
  const named = JSON.stringify(database)
  const belongsTo = plan.choices.noOwner ? 'owned by who restores' : `owned by ${owner}`
  const create = `create a database under a working name (${made}, ${belongsTo})`
  const load = loadSteps(preview, jobs)
  switch (way) {
    case 'new':
      return [create, ...load, `rename it to ${named}`]
    case 'empty':
      if (plan.choices.content === 'data-only') return load
      return [`mark ${named} as unfinished`, ...load, 'take the mark away']
    case 'in-place':
      return [
        `${create}, beside ${named}`,
        ...load,
        'compare it with what was backed up',
        `end the sessions in ${named}, and back it up as it is then`,
        `swap the names: ${named} is the restored one; the old one stays until "restore --finish", or comes back with "restore --undo"`,
      ]
    case 'replace':
      return [
        `lock all tables of ${named}: they can still be read`,
        `back ${named} up as it is then, and pin that backup`,
        `drop what is in ${named}`,
        ...load,
        ...(atOnce ? ['commit all of this at once'] : []),
        'compare it with what was backed up',
      ]
  }
}

function loadSteps({ plan }: RestorePreview, jobs: number): string[] {
  const definitions = plan.beforeData.length
  const rows = plan.tables.reduce((sum, table) => sum + table.rows, 0)
  const bytes = plan.tables.reduce((sum, table) => sum + table.bytes, 0)
  const others = [
    plan.sequences.length > 0 && formatQuantity(plan.sequences.length, 'sequence'),
    plan.largeObjects.length > 0 && formatQuantity(plan.largeObjects.length, 'large object'),
  ].filter((part) => part !== false)
  const data =
    `load ${formatQuantity(rows, 'row')} of ${formatQuantity(plan.tables.length, 'table')} (${formatBytes(bytes)})` +
    `${others.map((part) => `, ${part}`).join('')} on ${formatQuantity(jobs, 'connection')}`
  const last = plan.privileges.length + plan.viewData.length + plan.eventTriggers.length
  return [
    ...(definitions > 0 ? [`make ${formatQuantity(definitions, 'definition')}`] : []),
    ...(plan.tables.length + others.length > 0 ? [data] : []),
    ...(plan.afterData.length > 0
      ? [
          `build ${formatQuantity(plan.afterData.length, 'index, constraint or trigger', 'indexes, constraints and triggers')}`,
        ]
      : []),
    ...(last > 0
      ? [`run ${formatQuantity(last, 'statement')} of privileges, materialized views and event triggers`]
      : []),
  ]
}
