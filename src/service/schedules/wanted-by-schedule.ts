import type { ConfiguredSchedule } from '../../config/config-schedules.ts'
import { matchesGlob } from '../../core/text/glob.ts'
import type { Backup } from '../../shapes/database.ts'
import type { WantedRun } from '../runs/wanted-run.ts'

/** What there is to work on. */
export interface Surroundings {
  /** Of pgrevive.yaml and those that were found on its servers. */
  readonly databases: readonly string[]
  /** In the order of pgrevive.yaml. */
  readonly repositories: readonly string[]
  /** The newest first. */
  readonly backups: (database: string) => readonly Backup[]
}

export type ScheduledRun = Pick<WantedRun, 'command' | 'arguments' | 'databases' | 'repositories'>

/** The databases that a schedule is about, of those that there are; undefined for commands that are about none. */
export function databasesOf(
  { command, databases }: Pick<ConfiguredSchedule['entry'], 'command' | 'databases'>,
  known: readonly string[],
): string[] | undefined {
  return command === 'backup' || command === 'prove' || command === 'forget' ? matching(databases, known) : undefined
}

/** The run that a schedule means at a moment; undefined where there is nothing to work on. */
export function wantedBySchedule(
  { entry }: Pick<ConfiguredSchedule, 'entry'>,
  surroundings: Surroundings,
  dueAt: Date,
): ScheduledRun | undefined {
  const { command } = entry
  const repositories = entry.repositories ?? surroundings.repositories
  const repoOptions = (entry.repositories ?? []).flatMap((name) => ['--repo', name])
  const databases = matching(entry.databases, surroundings.databases)
  switch (command) {
    case 'backup':
      if (databases.length === 0) return undefined
      // without names the run itself asks the servers which there are: one that was made a minute ago is backed up, too
      if (entry.databases === undefined) return { command, arguments: repoOptions, databases, repositories }
      return { command, arguments: [...repoOptions, '--', ...databases], databases, repositories }
    case 'prove':
      return drill(databases, { ...surroundings, repositories }, dueAt)
    case 'forget': {
      const named = entry.databases === undefined ? [] : databases.flatMap((name) => ['--database', name])
      if (entry.databases !== undefined && databases.length === 0) return undefined
      return { command, arguments: [...repoOptions, ...named], databases: [], repositories }
    }
    case 'prune':
      return { command, arguments: repoOptions, databases: [], repositories }
    case 'check': {
      const level = entry.level === undefined ? [] : ['--level', entry.level]
      const budget = entry.budget === undefined ? [] : ['--budget', entry.budget]
      return { command, arguments: [...repoOptions, ...level, ...budget], databases: [], repositories }
    }
    case 'sync': {
      const from = entry.from === undefined ? [] : ['--from', entry.from]
      const to = entry.to === undefined ? [] : ['--to', entry.to]
      return { command, arguments: [...from, ...to], databases: [], repositories: surroundings.repositories }
    }
    case 'refresh': {
      const { refresh = '' } = entry
      return { command, arguments: ['--', refresh], databases: [], repositories: surroundings.repositories }
    }
  }
}

function matching(patterns: readonly string[] | undefined, names: readonly string[]): string[] {
  return names.filter((name) => patterns === undefined || patterns.some((pattern) => matchesGlob(name, pattern)))
}

/** One backup of each database, in one repository: another one each day, so that each place is proven in time. */
function drill(databases: readonly string[], surroundings: Surroundings, dueAt: Date): ScheduledRun | undefined {
  const { repositories } = surroundings
  const turn = Math.floor(dueAt.getTime() / (24 * 3600 * 1000)) % Math.max(1, repositories.length)
  const [best] = [...repositories.slice(turn), ...repositories.slice(0, turn)]
    .map((repository) => ({
      repository,
      chosen: databases.flatMap((name) => chooseBackup(name, repository, surroundings)),
    }))
    .toSorted((one, other) => other.chosen.length - one.chosen.length)
  if (!best || best.chosen.length === 0) return undefined
  return {
    command: 'prove',
    arguments: ['--repo', best.repository, '--', ...best.chosen.map(({ id }) => id)],
    databases: best.chosen.map(({ database }) => database),
    repositories: [best.repository],
  }
}

/** The newest that nobody has proven, or else the one whose proof is the oldest. */
function chooseBackup(database: string, repository: string, { backups }: Surroundings): Backup[] {
  const here = backups(database).filter(({ places }) => places.some((place) => place.repository === repository))
  const unproven = here.filter(({ proof }) => proof === null)
  const [first] =
    unproven.length > 0
      ? unproven.toSorted((one, other) => Date.parse(other.snapshotAt) - Date.parse(one.snapshotAt))
      : here.toSorted((one, other) => Date.parse(one.proof?.at ?? '') - Date.parse(other.proof?.at ?? ''))
  return first ? [first] : []
}
