import { userInfo } from 'node:os'
import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import type { CommandContext } from '../command-context.ts'
import { namesHooks } from '../../config/config.ts'
import { requireRepositories } from '../settings/settings.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { absoluteCommand, describeSurroundings } from '../schedule/absolute-command.ts'
import { crontab } from '../schedule/crontab.ts'
import { type Rhythm, type TimeOfDay, planJobs } from '../schedule/plan-jobs.ts'
import { installScript, systemdUnits } from '../schedule/systemd-units.ts'

/** 24 hours are a whole number of each. */
const rhythms = ['hourly', '2h', '3h', '4h', '6h', '8h', '12h', 'daily', 'weekly'] as const

const scheduleOptions = z.strictObject({
  print: z.enum(['cron', 'systemd'], 'must be cron or systemd'),
  every: z
    .enum(rhythms, `must be one of ${rhythms.join(', ')}`)
    .default('daily')
    .transform((text): Rhythm => {
      if (text === 'daily' || text === 'weekly') return text
      return { everyHours: text === 'hourly' ? 1 : Number.parseInt(text, 10) }
    }),
  prove: z.enum(['daily', 'weekly', 'monthly'], 'must be daily, weekly or monthly').default('monthly'),
  at: z
    .string()
    .regex(/^([01][0-9]|2[0-3]):[0-5][0-9]$/, 'must be a time of the day such as 02:15')
    .default('02:15')
    .transform((text): TimeOfDay => ({ hour: Number(text.slice(0, 2)), minute: Number(text.slice(3)) })),
})
type ScheduleOptions = z.output<typeof scheduleOptions>

async function schedule(options: ScheduleOptions, context: CommandContext): Promise<Outcome> {
  const settings = await context.settings()
  requireRepositories(settings)
  const jobs = planJobs(settings.config, options)
  const command = await absoluteCommand(context)
  const notes = [
    ...describeSurroundings(command, settings.environmentFile, context),
    ...(jobs.some(({ name }) => name === 'forget')
      ? []
      : ['nothing is forgotten: there is no retention: in pgrevive.yaml; write one, and print this again']),
  ]
  const user = userInfo().username
  refuseLineBreaks([...command.words, command.directory, ...[...command.variables].flat(), user, ...notes])
  const document = { jobs: jobs.map(({ name, commands }) => ({ name, commands })), notes }
  if (options.print === 'cron') {
    const lines = crontab(jobs, command, notes)
    return { document: { ...document, crontab: lines }, text: lines }
  }
  const units = systemdUnits(jobs, command, {
    user,
    hasHooks: settings.config !== undefined && namesHooks(settings.config),
  })
  return { document: { ...document, units: Object.fromEntries(units) }, text: installScript(units, notes) }
}

/** What is printed is run, perhaps by root: each text must stay in the line that it was put into. */
function refuseLineBreaks(texts: readonly string[]): void {
  const bad = texts.find((text) => /\p{Cc}/u.test(text))
  if (bad === undefined) return
  throw new AppError(
    'usage-invalid',
    `a schedule can not hold ${JSON.stringify(bad)}: there is a control character in it`,
    {
      hint: 'nothing was printed; rename the file or the directory, or correct the variable, and call this again',
    },
  )
}

export const scheduleCommand = defineCommand({
  name: 'schedule',
  summary: 'print a schedule for cron or systemd',
  description:
    'Prints what runs backups, forget and prune, checks and proofs by themselves, with the settings of this call, in absolute paths: lines for "crontab -e", or a script that writes systemd units and starts their timers. Nothing is changed. Runs never overlap with themselves (--no-overlap), and end with an exit code that says what happened. Secrets are not printed: name a file that sets them, with --environment-file.',
  arguments: [],
  options: [
    { flags: '--print <WHAT>', help: 'cron or systemd' },
    { flags: '--every <RHYTHM>', help: `how often to back up: ${rhythms.join(', ')} (default: daily)` },
    { flags: '--at <HH:MM>', help: 'when, by the clock of this machine (default: 02:15); the others follow later' },
    { flags: '--prove <RHYTHM>', help: 'how often to prove: daily, weekly, monthly (default: monthly)' },
  ],
  examples: [
    { command: 'pgrevive schedule --print cron', meaning: 'every night at 02:15, with what belongs to it' },
    {
      command: 'pgrevive schedule --print systemd --every 6h --prove weekly --environment-file /etc/pgrevive/secrets',
      meaning: 'timers, every six hours',
    },
  ],
  schema: scheduleOptions,
  readsOnly: true,
  run: schedule,
})
