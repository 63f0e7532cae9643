import type { Config } from '../../config/config.ts'

/** How often a job runs: every so many hours, each day, on Sundays, or on the first of the month. */
export type Rhythm = { readonly everyHours: number } | 'daily' | 'weekly' | 'monthly'

export interface TimeOfDay {
  readonly hour: number
  readonly minute: number
}

/** When a job runs, by the clock of the machine. */
export interface Moment {
  readonly hours: readonly number[]
  readonly minute: number
  readonly days: 'all' | 'sundays' | 'firsts'
}

export interface Job {
  /** Of its unit: `backup` for pgrevive-backup.service. */
  readonly name: string
  readonly purpose: string
  readonly moment: Moment
  /** What pgrevive is called with, one after the other, as long as all goes well. */
  readonly commands: readonly (readonly string[])[]
}

/** Backups as asked for; the others follow hours later, so that they rarely meet. `forget` needs a policy in pgrevive.yaml. */
export function planJobs(
  config: Config | undefined,
  { every, prove, at }: { readonly every: Rhythm; readonly prove: Rhythm; readonly at: TimeOfDay },
): Job[] {
  const backup: Job = {
    name: 'backup',
    purpose: 'back up every database',
    moment: momentOf(every, at),
    commands: [['backup']],
  }
  const forget: Job = {
    name: 'forget',
    purpose: 'let backups go that the policy does not keep, and free their space',
    moment: momentOf('daily', later(at, 2)),
    commands: [['forget'], ['prune']],
  }
  return [
    backup,
    ...(namesPolicy(config) ? [forget] : []),
    {
      name: 'check',
      purpose: 'look whether everything is there that the backups need',
      moment: momentOf('weekly', later(at, 4)),
      commands: [['check']],
    },
    {
      name: 'prove',
      purpose: 'restore the newest backups and compare everything',
      moment: momentOf(prove, later(at, 6)),
      commands: [['prove']],
    },
  ]
}

export function namesPolicy(config: Config | undefined): boolean {
  if (!config) return false
  return [config, ...config.repositories, ...config.databases.values()].some(({ retention }) => retention !== undefined)
}

function momentOf(rhythm: Rhythm, { hour, minute }: TimeOfDay): Moment {
  if (typeof rhythm === 'string') {
    return { hours: [hour], minute, days: ({ daily: 'all', weekly: 'sundays', monthly: 'firsts' } as const)[rhythm] }
  }
  const { everyHours } = rhythm
  const hours = Array.from({ length: 24 / everyHours }, (_, index) => (hour + index * everyHours) % 24)
  return { hours: hours.toSorted((one, other) => one - other), minute, days: 'all' }
}

function later({ hour, minute }: TimeOfDay, hours: number): TimeOfDay {
  return { hour: (hour + hours) % 24, minute }
}
