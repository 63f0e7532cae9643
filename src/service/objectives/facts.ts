import type { ConfiguredSchedule } from '../../config/config-schedules.ts'
import { nextTimes } from '../../config/when/times.ts'
import { matchesGlob } from '../../core/text/glob.ts'
import type { Backup, Objectives } from '../../shapes/database.ts'
import type { Repository } from '../../shapes/repository.ts'
import type { Run } from '../../shapes/run.ts'
import { type BackupFact, type Facts, type Judgement, isStranded, judge } from './judge.ts'
import { type JudgedCommand, RunFacts, type RunsView } from './run-facts.ts'

/** What of the catalog is judged by. */
export interface CatalogView {
  /** Configured and discovered ones. */
  databases(): readonly { readonly name: string; readonly gone: boolean }[]
  /** The newest first. */
  backups(database: string): readonly Backup[]
  repositories(): readonly Repository[]
}

export interface JudgeOptions {
  readonly catalog: CatalogView
  readonly runs: RunsView
  readonly schedules: () => ReadonlyMap<string, ConfiguredSchedule>
  readonly objectivesOf: (database: string) => Objectives
  /** What backups of a database leave out because pgrevive.yaml says so, in the words of Backup. */
  readonly leftOutBy: (database: string) => string | null
}

/** How long it may take until what a run has done is seen. */
const lookMs = 10 * 60_000
/** How long the next times of schedules are believed. */
const believedMs = 60_000

/** Judges databases by what is known now. */
export class Judge {
  readonly #options: JudgeOptions
  readonly #runs: RunFacts
  #next: { readonly atMs: number; readonly times: ReadonlyMap<ConfiguredSchedule, Date | undefined> } | undefined

  constructor(options: JudgeOptions) {
    this.#options = options
    this.#runs = new RunFacts(options.runs)
  }

  judge(database: string, now: Date): Judgement {
    return judge(this.factsOf(database, now), this.#options.objectivesOf(database), now)
  }

  factsOf(database: string, now: Date): Facts {
    const { catalog } = this.#options
    const repositories = catalog.repositories()
    const backups = catalog.backups(database)
    const isAtWork = (command: JudgedCommand) =>
      this.#runs.isActive(command, database) || isUnseen(this.#runs.last(command, database), repositories, now)
    const lastRun = this.#runs.last('backup', database)
    const newest = backups[0]?.snapshotAt ?? ''
    return {
      database,
      isKnown: repositories.some(({ lookedAt }) => lookedAt !== null),
      backups: backups.map((backup) => this.#factOf(backup)),
      repositories: repositories.map(({ name }) => name),
      away: awayOf(repositories),
      lastBackupRun: lastRun && {
        // of a run of many databases this one may be done all the same
        failed: lastRun.state === 'failed' && newest < (lastRun.startedAt ?? lastRun.createdAt),
        error: lastRun.error?.message ?? null,
      },
      isBackingUp: isAtWork('backup'),
      isProving: isAtWork('prove'),
      nextBackup: this.nextRun('backup', database, now),
      nextProof: this.nextRun('prove', database, now),
    }
  }

  /** The databases that can be restored from nowhere while this repository is away. */
  strandedBy(repository: string): string[] {
    const { catalog } = this.#options
    const away = awayOf(catalog.repositories())
    return catalog.databases().flatMap(({ name }) => {
      const backups = catalog.backups(name).map((backup) => this.#factOf(backup))
      const isThere = backups.some(({ repositories }) => repositories.includes(repository))
      return isThere && isStranded({ backups, away }) ? [name] : []
    })
  }

  /** When the schedules want a run of a command about a database next. */
  nextRun(command: JudgedCommand, database: string, now: Date): Date | undefined {
    const times = [...this.#nextTimes(now)].flatMap(([{ entry }, time]) =>
      entry.command === command && time && isAbout(entry.databases, database) ? [time.getTime()] : [],
    )
    return times.length === 0 ? undefined : new Date(Math.min(...times))
  }

  #nextTimes(now: Date): ReadonlyMap<ConfiguredSchedule, Date | undefined> {
    const enabled = [...this.#options.schedules().values()].filter((one) => one.enabled)
    const known = this.#next
    const ageMs = now.getTime() - (known?.atMs ?? 0)
    const isFresh = ageMs >= 0 && ageMs < believedMs && enabled.every((one) => (known?.times.get(one) ?? now) >= now)
    if (known && isFresh && enabled.every((one) => known.times.has(one))) return known.times
    const times = new Map(enabled.map((one) => [one, nextTimes(one.when, now, 1)[0]]))
    this.#next = { atMs: now.getTime(), times }
    return times
  }

  #factOf({ id, database, snapshotAt, leftOut, places, proof }: Backup): BackupFact {
    return {
      id,
      snapshotAt: new Date(snapshotAt),
      isWhole: leftOut === null || leftOut === this.#options.leftOutBy(database),
      repositories: places.map(({ repository }) => repository),
      proof: proof && { outcome: proof.outcome, at: new Date(proof.at), tookMs: proof.tookMs },
    }
  }
}

/** One that was not looked at yet counts as it did before. */
function awayOf(repositories: readonly Repository[]): string[] {
  return repositories.flatMap(({ name, reachable }) => (reachable === false ? [name] : []))
}

/** Whether a run has just ended, and nobody has looked into the repositories since. */
function isUnseen(run: Run | undefined, repositories: readonly Repository[], now: Date): boolean {
  const { endedAt } = run ?? { endedAt: null }
  if (endedAt === null || Math.abs(now.getTime() - Date.parse(endedAt)) > lookMs) return false
  return repositories.some(({ lookedAt }) => lookedAt === null || lookedAt < endedAt)
}

function isAbout(patterns: readonly string[] | undefined, database: string): boolean {
  return patterns === undefined || patterns.some((pattern) => matchesGlob(database, pattern))
}
