import type { CommandContext } from '../command-context.ts'
import { describeSelection } from '../../repository/backups/manifest-selection.ts'
import { describeProof } from '../repositories/describe-backup.ts'
import { formatAge, formatBytes, formatDuration, formatQuantity, formatTime } from '../../core/text/format.ts'
import { printable, printableLines } from '../../core/text/printable.ts'
import { shellWord } from '../../core/text/shell-word.ts'
import type { RecoveryPlan } from './plan-recovery.ts'
import type { Recovered } from './recover-project.ts'

/** What will be done, removed and kept. */
export function describePlan(plan: RecoveryPlan, { terminal }: CommandContext): string {
  const { project, server, services, data, kept, backups, journal } = plan
  const heading = `${terminal.errorColors.strong(`recovery of the project ${printable(project)}`)}\n`
  if (journal.phase === 'restored') {
    const names = [server.name, ...journal.services].join(', ')
    return `${heading}  start    ${printable(names)}: the recovery of ${journal.startedAt} has restored and verified the database\n`
  }
  const now = new Date()
  const names = services.map(({ name }) => name).join(', ') || 'nothing: no other container of the project runs'
  const lines = [
    ['stop', `${names}; and ${server.name}`],
    ['keep', `all that is in the ${data.name}, as the ${kept.name}`],
    ...(plan.resumed
      ? [['', `what the recovery of ${journal.startedAt}, which did not end, has kept stays beside it`]]
      : []),
    ['remove', 'nothing'],
    ...backups.map(({ backup, manifest, proof }) => {
      const at = new Date(backup.record.snapshot.at)
      const { tables, rows, bytes } = backup.record.totals
      const leftOut = describeSelection(backup.record.selection)
      return [
        'restore',
        `${manifest.database.name}, as it was ${formatTime(at)} (${formatAge(at, now)}), from backup ${backup.id}, ${describeProof(proof, now)}: ` +
          `${formatQuantity(tables, 'table')}, ${formatQuantity(rows, 'row')}, ${formatBytes(bytes)}${leftOut === undefined ? '' : `, without ${leftOut}`}; what was written later is only in what is kept`,
      ]
    }),
    ['start', journal.services.join(', ') || 'nothing else'],
    [
      'lose',
      `other databases of this server, and changes to postgresql.conf and pg_hba.conf: they are only in what is kept`,
    ],
  ]
  return heading + lines.map(([word = '', text = '']) => `  ${word.padEnd(8)} ${printable(text)}\n`).join('')
}

export function describeRecovered(
  plan: RecoveryPlan,
  { restored, kept, downMs }: Recovered,
  { terminal }: CommandContext,
): string {
  const { colors } = terminal
  const { server, data, journal } = plan
  const ids = kept.map(({ id }) => shellWord(id)).join(' ')
  const removal = data.kind === 'volume' ? `docker volume rm ${ids}` : `rm -r ${ids}`
  return (
    restored
      .map(
        ({ chosen: { backup }, outcome, notes }) =>
          `${colors.good('recovered')} ${colors.strong(printable(outcome.database))} from ${backup.id}, as it was ${formatTime(new Date(backup.record.snapshot.at))}: ` +
          `${formatQuantity(outcome.tables, 'table')}, ${formatQuantity(outcome.rows, 'row')}, ${formatBytes(outcome.bytes)}, verified\n` +
          notes.map((note) => `  ${colors.warning('note')}: ${printableLines(note, 4)}\n`).join(''),
      )
      .join('') +
    `  ${server.name} runs on a fresh ${data.kind}; ${journal.services.length === 0 ? 'nothing else was stopped' : `started again: ${journal.services.join(', ')}`}; down for ${formatDuration(downMs)}\n` +
    (kept.length === 0
      ? ''
      : `  what was there is kept as the ${printable(kept.map(({ name }) => name).join(', the '))}: postgresql.conf and pg_hba.conf in it may hold changes to bring over\n`) +
    `  next: look at the application, then "pgrevive backup"${kept.length === 0 ? '' : `; once nothing more is wanted of it: ${printable(removal)}`}\n`
  )
}
