import { EventEmitter } from 'node:events'
import type { Config } from '../../config/config.ts'
import { includes } from '../../config/config-servers.ts'
import { errorCodes, exitCodeOf } from '../../core/app-error.ts'
import type { Backup } from '../../shapes/database.ts'
import type { Repository } from '../../shapes/repository.ts'
import type { Run, RunCommand } from '../../shapes/run.ts'
import { formatStorePlace } from '../../store/store-place.ts'
import type { Clock } from '../clock.ts'
import type { Runs } from '../runs/runs.ts'
import type { State } from '../state/state.ts'
import {
  databasesWithBackups,
  keepRepositories,
  readBackup,
  readBackups,
  readDiscovered,
  readRepository,
  writeDiscovered,
  writeFailure,
  writeListed,
} from './catalog-rows.ts'
import { readFound, readListed } from './listed-repositories.ts'
import { setAsideOf } from './set-aside-names.ts'
import { sourceOf } from './source.ts'

/** Others write into repositories, too, and make databases on servers. */
const lookAgainMs = 3600_000
/** Somebody waits for a repository that is away to be back. */
const lookForAwayMs = 300_000
const discoverAgainMs = 300_000

export interface CatalogOptions {
  readonly state: State
  readonly clock: Clock
  readonly runs: Runs
  readonly config: () => Config
  readonly onFault: (error: unknown) => void
}

/** A database that is backed up, or was. */
export interface KnownDatabase {
  readonly name: string
  /** Without secrets; null if pgrevive.yaml does not say how to reach it. */
  readonly source: string | null
  readonly server: string | null
  /** Not on its server any more, or not in pgrevive.yaml, and backups are left. */
  readonly gone: boolean
}

/**
 * What the repositories hold, and which databases there are, as they were looked at last: after each run that may have
 * changed something, and each hour. The repositories are the truth.
 */
export class Catalog {
  readonly events = new EventEmitter<{ changed: [what: 'databases' | 'repositories'] }>()
  readonly #options: CatalogOptions
  /** By database, until something of them has changed. */
  readonly #backups = new Map<string, readonly Backup[]>()
  #databases: readonly KnownDatabase[] | undefined
  /** Names of backups that restores have made of a database, by that. */
  #setAside: ReadonlyMap<string, readonly string[]> = new Map()
  #repositories: readonly Repository[] | undefined
  readonly #asked = new Map<'repositories' | 'databases', { run: string; at: number; done: Promise<void> }>()
  #serverFailures: ReadonlyMap<string, NonNullable<Repository['error']>> = new Map()

  constructor(options: CatalogOptions) {
    this.#options = options
    options.runs.events.on('ended', (run) => {
      if (changesRepositories(run.command)) void this.refresh().catch(options.onFault)
    })
  }

  /** The newest first; an empty list for a database that has none. */
  backups(database: string): readonly Backup[] {
    const known = this.#backups.get(database) ?? readBackups(this.#options.state, database)
    this.#backups.set(database, known)
    return known
  }

  newest(database: string): Backup | undefined {
    return this.backups(database)[0]
  }

  backup(id: string): Backup | undefined {
    return readBackup(this.#options.state, id)
  }

  /** In the order of pgrevive.yaml. */
  repositories(): readonly Repository[] {
    return (this.#repositories ??= this.#options.config().repositories.map(({ name, place }) => ({
      ...readRepository(this.#options.state, name),
      place: formatStorePlace(place),
      kind: place.kind,
    })))
  }

  /** What restores saved of a database before they took its place: no series of its own, each under a name of its own. */
  setAside(database: string): readonly Backup[] {
    this.databases()
    return (this.#setAside.get(database) ?? []).flatMap((name) => this.backups(name))
  }

  /** Those of pgrevive.yaml, then those that were found on its servers, then those of which only backups are left. */
  databases(): readonly KnownDatabase[] {
    return (this.#databases ??= this.#findDatabases())
  }

  /** Servers of pgrevive.yaml whose databases could not be listed, and why. */
  get serverFailures(): ReadonlyMap<string, NonNullable<Repository['error']>> {
    return this.#serverFailures
  }

  /** Lists all repositories anew. Resolves once what is found is known, or that nothing could be. */
  refresh(): Promise<void> {
    if (this.#options.config().repositories.length === 0) return Promise.resolve()
    return this.#look('repositories', ['--sizes'], (run, document) => this.#takeListed(run, document))
  }

  /** Looks which databases the servers have. */
  discover(): Promise<void> {
    if (this.#options.config().servers.size === 0) return Promise.resolve()
    return this.#look('databases', ['--databases'], async (_, document) => this.#takeFound(document))
  }

  /** What pgrevive.yaml says has changed. */
  reconsider(): void {
    const { config, state } = this.#options
    keepRepositories(
      state,
      config().repositories.map(({ name }) => name),
    )
    this.#forgetCached()
    void this.refresh().catch(this.#options.onFault)
    void this.discover().catch(this.#options.onFault)
  }

  tick(now: Date): void {
    const isAway = this.repositories().some(({ reachable }) => reachable === false)
    if (this.#isOld('repositories', isAway ? lookForAwayMs : lookAgainMs, now))
      void this.refresh().catch(this.#options.onFault)
    if (this.#isOld('databases', discoverAgainMs, now)) void this.discover().catch(this.#options.onFault)
  }

  #isOld(what: 'repositories' | 'databases', ms: number, now: Date): boolean {
    const asked = this.#asked.get(what)
    return asked === undefined || Math.abs(now.getTime() - asked.at) >= ms
  }

  /** A look that waits in the queue is enough for all who ask; one that is at work may have missed what they know of. */
  #look(
    what: 'repositories' | 'databases',
    words: readonly string[],
    take: (run: Run, document: unknown) => Promise<void>,
  ): Promise<void> {
    const { runs, clock, config } = this.#options
    const before = this.#asked.get(what)
    if (before && runs.get(before.run)?.state === 'waiting') return before.done
    const repositories = what === 'repositories' ? config().repositories.map(({ name }) => name) : []
    const run = runs.request({ command: 'list', arguments: words, databases: [], repositories, cause: 'request' })
    const done = new Promise<void>((resolve, reject) => {
      const listen = (ended: Run, document: unknown) => {
        if (ended.id !== run.id) return
        runs.events.off('ended', listen)
        take(ended, document).then(resolve, reject)
      }
      runs.events.on('ended', listen)
    })
    this.#asked.set(what, { run: run.id, at: clock.now().getTime(), done })
    return done
  }

  async #takeListed(run: Run, document: unknown): Promise<void> {
    const { state, clock, config } = this.#options
    const listed = await readListed(document)
    if (listed) {
      for (const database of writeListed(state, listed, clock.now())) this.#backups.delete(database)
    } else if (run.state !== 'failed' || !isOfRepository(run.error)) return
    else for (const { name } of config().repositories) writeFailure(state, name, run.error, clock.now())
    this.#databases = undefined
    this.#repositories = undefined
    this.events.emit('changed', 'repositories')
    this.events.emit('changed', 'databases')
  }

  #takeFound(document: unknown): void {
    const { state, clock, config } = this.#options
    const found = readFound(document)
    if (!found) return
    this.#serverFailures = new Map(found.failed.map(({ server, error }) => [server, error]))
    if (writeDiscovered(state, found, [...config().servers.keys()], clock.now()) === 0) return
    this.#forgetCached()
    this.events.emit('changed', 'databases')
  }

  #forgetCached(): void {
    this.#backups.clear()
    this.#databases = undefined
    this.#repositories = undefined
  }

  #findDatabases(): KnownDatabase[] {
    const { state, config } = this.#options
    const { databases, servers } = config()
    const known = new Map<string, KnownDatabase>()
    for (const { name, conninfo } of databases.values()) {
      known.set(name, { name, source: sourceOf(conninfo), server: null, gone: false })
    }
    for (const { name, server, gone } of readDiscovered(state)) {
      const on = servers.get(server)
      const isMeant = on !== undefined && includes(on, name.slice(server.length + 1))
      const conninfo = databases.get(name)?.conninfo
      if (isMeant) known.set(name, { name, source: conninfo ? sourceOf(conninfo) : null, server, gone })
    }
    const setAside = new Map<string, string[]>()
    const others = databasesWithBackups(state).filter((name) => !known.has(name))
    for (const name of others.toSorted()) {
      const of = setAsideOf(name, known.values())
      if (of === undefined) known.set(name, { name, source: null, server: null, gone: true })
      else setAside.set(of, [...(setAside.get(of) ?? []), name])
    }
    this.#setAside = setAside
    return [...known.values()]
  }
}

function changesRepositories(command: RunCommand): boolean {
  return command !== 'list'
}

/** Whether a look failed at the repositories: their stores, or their keys. A process that was killed says nothing of them. */
function isOfRepository(error: Run['error']): boolean {
  const exit = error === null ? undefined : exitCodeOf(error.code)
  return exit === errorCodes['store-missing'].exit || exit === errorCodes['key-missing'].exit
}
