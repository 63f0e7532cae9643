import { shellWord } from '../../core/text/shell-word.ts'
import type { AbsoluteCommand } from './absolute-command.ts'
import type { Job, Moment } from './plan-jobs.ts'

/** Lines for `crontab -e`. stdout is dropped, so that cron mails only warnings and errors; the run's log has the rest. */
export function crontab(jobs: readonly Job[], command: AbsoluteCommand, notes: readonly string[]): string {
  const lines = [
    '# pgrevive: paste this at the end of "crontab -e"; what is set here holds for all lines below',
    ...notes.map((note) => `# ${note}`),
    '# cron mails what is printed, warnings and errors: set MAILTO above, or use on_failure: in pgrevive.yaml',
    'SHELL=/bin/sh',
    ...[...command.variables].map(([name, value]) => `${name}=${value}`),
    ...jobs.flatMap((job) => [`# ${job.purpose}`, `${cronTime(job.moment)} ${shellLine(job, command)}`]),
  ]
  return lines.map((line) => `${line}\n`).join('')
}

function cronTime({ hours, minute, days }: Moment): string {
  return `${minute} ${hours.length === 24 ? '*' : hours.join(',')} ${days === 'firsts' ? 1 : '*'} * ${days === 'sundays' ? 0 : '*'}`
}

/** cron ends a command at the first percent sign without a backslash. */
function shellLine({ commands }: Job, { words, directory }: AbsoluteCommand): string {
  const steps = [
    `cd ${shellWord(directory)}`,
    ...commands.map((command) => `${[...words, ...command].map(shellWord).join(' ')} >/dev/null`),
  ]
  return steps.join(' && ').replaceAll('%', '\\%')
}
