import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { listSome } from '../../core/text/list-some.ts'
import { forgetBackups } from '../../repository/retention/forget-backups.ts'
import { listBackups, listProofs } from '../../repository/backups/open-backup.ts'
import { type ForgettingPlan, planForgetting, refuseKept } from '../../repository/retention/plan-forgetting.ts'
import type { Decision } from '../../repository/retention/retention.ts'
import type { Shrinkage } from '../../repository/retention/shrinkage.ts'
import { type BackupReference, backupReference, backupReferenceHelp } from '../repositories/backup-reference.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { describeSelection } from '../../repository/backups/manifest-selection.ts'
import { findHere } from '../repositories/locate-backup.ts'
import { formatQuantity, formatTable, formatTime } from '../../core/text/format.ts'
import { flag, texts } from '../option-types.ts'
import { printable } from '../../core/text/printable.ts'
import { requireRepository } from '../settings/settings.ts'
import { openRepositoryOf } from '../repositories/repository-access.ts'
import { namesPolicy, policyOptions, policyOptionWords, retentionRules } from '../repositories/retention-rules.ts'

const forgetOptions = z
  .strictObject({
    backups: z.array(backupReference).default([]),
    database: texts,
    dryRun: flag,
    evenNewest: flag,
    ...policyOptions,
  })
  .refine(
    (options) => options.backups.length === 0 || (options.database.length === 0 && !namesPolicy(options)),
    'BACKUP excludes --database and the rules of a policy',
  )
  .refine(({ backups, evenNewest }) => backups.length > 0 || !evenNewest, '--even-newest needs a BACKUP')
export type ForgetOptions = z.output<typeof forgetOptions>

async function forget(options: ForgetOptions, context: CommandContext): Promise<Outcome> {
  return options.backups.length > 0 ? forgetNamed(options, context) : forgetByPolicy(options, context)
}

async function forgetNamed({ backups, evenNewest, dryRun }: ForgetOptions, context: CommandContext): Promise<Outcome> {
  const repository = await openRepositoryOf(context)
  const listed = await listBackups(repository, context)
  const lost = [...listed.damaged, ...(await listProofs(repository, context)).keys()]
  const ids = await Promise.all(
    backups.map(async (reference) => lostId(lost, reference) ?? (await findHere(listed, reference, context)).id),
  )
  await refuseKept(repository, ids, { evenNewest, signal: context.signal })
  if (!dryRun) await forgetBackups(repository, ids, context)
  const lines = ids.map((id) => `${dryRun ? 'would forget' : 'forgotten'}: ${id}\n`)
  return { document: { forgotten: ids, dryRun }, text: lines.join('') + nextStep(ids.length, dryRun) }
}

/** A backup whose record can not be read, or of which only proofs are left; given in full, not to be found by accident. */
function lostId(lost: readonly string[], reference: BackupReference): string | undefined {
  return reference.kind === 'id' ? lost.find((id) => id === reference.prefix) : undefined
}

async function forgetByPolicy(options: ForgetOptions, context: CommandContext): Promise<Outcome> {
  const { database: databases, dryRun } = options
  const settings = await context.settings()
  const rules = retentionRules(options, settings, requireRepository(settings))
  const repository = await openRepositoryOf(context)
  const plan = await planForgetting(repository, rules, {
    signal: context.signal,
    concerns: databases.length === 0 ? undefined : (name) => databases.includes(name),
  })
  refuseUnknown(databases, plan)
  const stopped = new Set(plan.shrinkage.map(({ database }) => database))
  const ids = plan.decisions
    .filter(({ keep, backup }) => !keep && !stopped.has(backup.database))
    .map(({ backup }) => backup.id)
  // the oldest first: a run that is stopped leaves the newer ones
  if (!dryRun) await forgetBackups(repository, ids.toReversed(), context)
  for (const id of plan.damaged) {
    context.terminal.warn(`the record of backup ${id} is damaged: it is neither kept for others nor forgotten`)
  }
  return {
    document: {
      decisions: plan.decisions.map(({ backup, keep, reasons }) => ({
        backup: backup.id,
        database: backup.database,
        takenAt: backup.takenAt,
        keep,
        reasons,
      })),
      forgotten: ids,
      stopped: plan.shrinkage,
      damaged: plan.damaged,
      dryRun,
    },
    text: describe(plan, stopped, context) + (ids.length === 0 && stopped.size > 0 ? '' : nextStep(ids.length, dryRun)),
    ...(plan.shrinkage.length > 0 && { failure: shrank(plan.shrinkage) }),
  }
}

function refuseUnknown(databases: readonly string[], { decisions }: ForgettingPlan): void {
  const known = new Set(decisions.map(({ backup }) => backup.database))
  const unknown = databases.find((name) => !known.has(name))
  if (unknown === undefined) return
  throw new AppError('selection-empty', `the repository holds no backup of "${printable(unknown)}"`, {
    hint: '"pgrevive list" shows all',
  })
}

function shrank(shrinkage: readonly Shrinkage[]): AppError {
  const [first] = shrinkage
  const lines = shrinkage.map(
    ({ database, backup, before, losses }) =>
      `"${printable(database)}": backup ${backup} has lost, compared with ${before}: ${printable(listSome(losses))}`,
  )
  return new AppError('backup-shrank', lines.join('\n'), {
    hint: `no backup of these databases was forgotten; look with "pgrevive diff ${first?.before} ${first?.backup}"; if it is right, "pgrevive acknowledge ${shrinkage.map(({ backup }) => backup).join(' ')}"`,
  })
}

function describe({ decisions }: ForgettingPlan, stopped: ReadonlySet<string>, { terminal }: CommandContext): string {
  const { colors } = terminal
  if (decisions.length === 0) return 'no backups\n'
  const verdict = ({ keep, backup }: Decision) => (keep ? 'keep' : stopped.has(backup.database) ? 'stopped' : 'forget')
  const columns = [
    { title: 'backup', style: colors.strong },
    { title: 'taken' },
    { title: 'database' },
    { title: '', style: (text: string) => (text.startsWith('forget') ? colors.warning(text) : text) },
    { title: 'because' },
    { title: 'left out', style: colors.faint },
  ]
  const rows = decisions.map((decision) => [
    decision.backup.id,
    formatTime(decision.backup.takenAt),
    decision.backup.database,
    verdict(decision),
    decision.reasons.join(', '),
    describeSelection(decision.backup.selection) ?? '',
  ])
  const visible = rows.some((row) => row.at(-1) !== '') ? columns : columns.slice(0, -1)
  return formatTable(visible, rows, { heading: colors.faint, width: terminal.outputWidth })
}

function nextStep(count: number, dryRun: boolean): string {
  if (count === 0) return 'nothing to forget\n'
  if (dryRun) return `would forget ${formatQuantity(count, 'backup')}\n`
  return `forgot ${formatQuantity(count, 'backup')}; next: pgrevive prune\n`
}

export const forgetCommand = defineCommand({
  name: 'forget',
  summary: 'let backups go, by a policy or by name',
  description:
    'Decides on every backup by the policy that the options name, or that of pgrevive.yaml, and prints the reason of each decision. The age of a backup is that of its record by the clock of the store; of an imported one, that of its dump, and imported ones take the place of no other. Backups of one database that leave out the same follow one policy of their own; refuted ones take the place of no other. Never forgotten by a policy: the newest whole backup of a database, the newest proven one, what is pinned, and what was stored late or copied without its time. When a backup has lost more than half of its rows or bytes, or a table, no policy forgets anything of its database until that is acknowledged (exit code 11). What was forgotten can not be restored any more; prune frees its space.',
  arguments: [
    { key: 'backups', name: 'BACKUP', presence: 'any number', help: `${backupReferenceHelp}; in place of a policy` },
  ],
  options: [
    {
      flags: '--database <NAME>',
      help: 'only backups of the database of exactly this name; repeatable',
      repeatable: true,
    },
    ...policyOptionWords,
    { flags: '--dry-run', help: 'only tell what would be done' },
    {
      flags: '--even-newest',
      help: 'BACKUP may be the newest whole or the newest proven one of its database',
    },
  ],
  examples: [
    { command: 'pgrevive forget --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --dry-run', meaning: 'try a policy' },
    { command: 'pgrevive forget', meaning: 'by the policies of pgrevive.yaml' },
    { command: 'pgrevive forget 01JD8Y', meaning: 'one backup' },
  ],
  schema: forgetOptions,
  keepsLog: true,
  onEach: true,
  run: forget,
})
