import { dirname, join, resolve } from 'node:path'
import { type Document, LineCounter, parseDocument } from 'yaml'
import { AppError, hasCode } from '../core/app-error.ts'
import { isContainerUrl } from '../containers/container-reference.ts'
import { type SshPlace, parseSshUrl } from '../ssh/ssh-place.ts'
import type { SelectionPatterns } from '../postgres/catalog/tables.ts'
import type { Environment } from '../postgres/target/connection-target.ts'
import type { PgDumpChoice } from '../postgres/pg-dump/pg-dump.ts'
import type { Assertion } from '../restore/run-assertions.ts'
import { type StorePlace, formatStorePlace, isStoreUrl, parseStorePlace } from '../store/store-place.ts'
import { everything } from '../repository/backups/manifest.ts'
import type { RetentionPolicy } from '../repository/retention/retention.ts'
import { pgDumpChoice, retentionMs, transferRate } from './value-types.ts'
import { readConfigFile, refuseForeign } from './config-file.ts'
import { type ConfigProblem, lineOf, problemsOf, structureProblems } from './config-problem.ts'
import {
  type ConfigFile,
  type DatabaseEntry,
  type RepositoryEntry,
  type RetentionEntry,
  configFileSchema,
} from './config-schema.ts'
import { type ConfiguredAlerts, resolveAlerts } from './config-alerts.ts'
import { type ConfiguredHooks, resolveHooks } from './config-hooks.ts'
import { type ConfiguredObjectives, type ObjectivesEntry, resolveObjectives } from './config-objectives.ts'
import { type ConfiguredRefresh, type ReachedDatabase, resolveRefreshes } from './config-refreshes.ts'
import { type ConfiguredSchedule, resolveSchedules } from './config-schedules.ts'
import { type PartResolver, resolveSecret } from './config-secret.ts'
import { ConfiguredDatabases, type ConfiguredServer } from './config-servers.ts'
import { type ConfiguredService, resolveService } from './config-service.ts'
import { expandEnvironment, findPassword } from './config-url.ts'

/** pgrevive.yaml, understood. Paths are absolute. */
export interface Config {
  readonly file: string
  /** In the order of the file. */
  readonly repositories: readonly RepositorySettings[]
  readonly keyFile: string | undefined
  readonly jobs: number | undefined
  readonly pgDump: PgDumpChoice | undefined
  /** Bytes per second. */
  readonly limitUpload: number | undefined
  readonly limitDownload: number | undefined
  /** Of databases that demand nothing else; those of pgrevive.yaml say theirs. */
  readonly objectives: ConfiguredObjectives
  /** In the order of the file. */
  readonly schedules: ReadonlyMap<string, ConfiguredSchedule>
  readonly refreshes: ReadonlyMap<string, ConfiguredRefresh>
  readonly alerts: ConfiguredAlerts
  /** Of the runs' logs; `none` for none. */
  readonly log: string | undefined
  /** For databases that have none of their own, configured or not. */
  readonly retention: ConfiguredRetention | undefined
  /** For databases that have none of their own. */
  readonly hooks: ConfiguredHooks | undefined
  /** Those that are named, in the order of the file; `get` knows those of `servers`, too. */
  readonly databases: ReadonlyMap<string, ConfiguredDatabase>
  readonly servers: ReadonlyMap<string, ConfiguredServer>
  readonly service: ConfiguredService
}

export interface ConfiguredRetention {
  readonly policy: RetentionPolicy
  readonly shrinkPercent: number | undefined
}

export interface RepositorySettings {
  /** As pgrevive.yaml calls it, or else the text that says where it is. */
  readonly name: string
  readonly place: StorePlace
  /** Keys of which one opens it; none: those of this user. */
  readonly keyFiles: readonly string[]
  /** For databases that have none of their own. */
  readonly retention: ConfiguredRetention | undefined
}

export interface ConfiguredDatabase extends ReachedDatabase {
  readonly name: string
  readonly selection: SelectionPatterns
  readonly assertions: readonly Assertion[]
  readonly retention: ConfiguredRetention | undefined
  /** In place of those for all, each by its name. */
  readonly hooks: ConfiguredHooks | undefined
  readonly objectives: ConfiguredObjectives
}

export interface ConfigSurroundings {
  readonly environment: Environment
  readonly homeDirectory: string
}

/** Throws `config-invalid` with all problems at once, a line of the message each, and their line numbers. */
export async function readConfig(file: string, surroundings: ConfigSurroundings): Promise<Config> {
  const { text, stats } = await readConfigFile(file)
  const config = parseConfig(text, { ...surroundings, file })
  if (namesPrograms(config)) refuseForeign(file, stats)
  return config
}

function namesPrograms(config: Config): boolean {
  return typeof config.pgDump === 'object' || namesHooks(config)
}

export function namesHooks({ hooks, databases, servers }: Config): boolean {
  const all = [...databases.values(), ...Array.from(servers.values(), ({ common }) => common)]
  return hooks !== undefined || all.some((one) => one.hooks !== undefined)
}

export function parseConfig(text: string, options: ConfigSurroundings & { file: string }): Config {
  const lines = new LineCounter()
  // whether keys are unique is looked at below: here it takes time by the square of their number
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false })
  const errors = document.errors.map(({ pos: [offset], message }) => ({ offset, message }))
  const unsound = errors.length > 0 ? errors : structureProblems(document)
  if (unsound.length > 0) {
    throw invalidConfig(
      options.file,
      unsound.map(({ offset, message }) => ({ line: lines.linePos(offset).line, message })),
    )
  }
  const parsed = configFileSchema.safeParse(toValue(document, options.file) ?? {}, { reportInput: true })
  const resolver = new ConfigResolver(options)
  const config = parsed.success ? resolver.resolve(parsed.data) : undefined
  const problems = parsed.success ? resolver.problems : problemsOf(parsed.error.issues)
  if (config && problems.length === 0) return config
  throw invalidConfig(
    options.file,
    problems.slice(0, mostTold).map(({ path, message }) => ({ line: lineOf(path, document, lines), message })),
    problems.length - mostTold,
  )
}

/** Of problems; whoever has more has made the same mistake again and again. */
const mostTold = 100

function toValue(document: Document, file: string): unknown {
  try {
    return document.toJS()
  } catch (cause) {
    // An alias without an anchor, or so many aliases that they are an attack.
    throw new AppError('config-invalid', `"${file}" can not be resolved`, { cause })
  }
}

function invalidConfig(file: string, problems: readonly { line: number; message: string }[], more = 0): AppError {
  const sorted = problems.toSorted((one, other) => one.line - other.line)
  const told = sorted.map((problem) => `${file}:${problem.line}: ${problem.message}`)
  const message = [...told, ...(more > 0 ? [`${file}: and ${more} more`] : [])].join('\n')
  return new AppError('config-invalid', message, { hint: 'docs/reference.md describes every key of pgrevive.yaml' })
}

function resolveRate(rate: number | string | undefined): number | undefined {
  return rate === undefined ? undefined : transferRate.parse(String(rate))
}

function resolveAge(age: string | undefined): number | undefined {
  return age === undefined ? undefined : retentionMs(age)
}

function resolveRetention(entry: RetentionEntry): ConfiguredRetention {
  return {
    policy: {
      keepLast: entry.keep_last,
      keepWithinMs: resolveAge(entry.keep_within),
      keepHourly: entry.keep_hourly,
      keepDaily: entry.keep_daily,
      keepWeekly: entry.keep_weekly,
      keepMonthly: entry.keep_monthly,
      keepYearly: entry.keep_yearly,
      minimum: entry.minimum,
    },
    shrinkPercent: entry.shrink_percent,
  }
}

/** What a database is reached by. */
interface ReachEntry {
  readonly url: string
  readonly tunnel?: string | undefined
}

/** `database "shop"`, `refreshes.staging.to`. */
function nameOf(path: readonly string[]): string {
  return path[0] === 'databases' ? `database "${path[1]}"` : path.join('.')
}

/** Turns what the file says into what it means here, noting what can not be meant. */
class ConfigResolver implements PartResolver {
  readonly problems: ConfigProblem[] = []
  readonly #options: ConfigSurroundings & { readonly file: string }

  constructor(options: ConfigSurroundings & { readonly file: string }) {
    this.#options = options
  }

  resolve(input: ConfigFile): Config {
    const servers = this.#servers(input)
    const databases = Object.entries(input.databases ?? {}).map(([name, entry]): [string, ConfiguredDatabase] => {
      const server = servers.get(name.split('/', 1)[0] ?? '')
      if (server && name.includes('/')) {
        const message = `"${name}" is the name of a database of the server ${server.name}`
        this.problems.push({ path: ['databases', name], message })
      }
      return [name, this.#database(name, entry, input.objectives)]
    })
    const repositories = this.#repositories(input)
    const refreshes = resolveRefreshes(input.refreshes ?? {}, (to, path) => this.#reach(to, path), this)
    const schedules = resolveSchedules(
      input.schedules ?? {},
      { repositories: repositories.map(({ name }) => name), refreshes: [...refreshes.keys()] },
      this.problems,
    )
    return {
      file: this.#options.file,
      repositories,
      keyFile: this.path(input.key_file, ['key_file']),
      jobs: input.jobs,
      pgDump: this.#pgDump(input.pg_dump),
      objectives: resolveObjectives(input.objectives),
      schedules,
      refreshes,
      alerts: resolveAlerts(input.alerts ?? {}, [...schedules.keys()], this),
      log: input.log === 'none' ? 'none' : this.path(input.log, ['log']),
      limitUpload: resolveRate(input.limit_upload),
      limitDownload: resolveRate(input.limit_download),
      retention: input.retention && resolveRetention(input.retention),
      hooks: input.hooks && resolveHooks(input.hooks),
      databases: new ConfiguredDatabases(databases, servers),
      servers,
      service: resolveService(input.service ?? {}, this),
    }
  }

  #repositories({ repository, repositories }: ConfigFile): RepositorySettings[] {
    if (repository !== undefined && repositories !== undefined) {
      this.problems.push({ path: ['repositories'], message: 'repository and repositories exclude each other' })
    }
    const named = Object.entries(repositories ?? {})
    const resolved = [
      ...(repository === undefined ? [] : [this.#repository(undefined, repository, ['repository'])]),
      ...named.map(([name, entry]) => this.#repository(name, entry, ['repositories', name])),
    ].flatMap((one) => one ?? [])
    const places = new Map<string, string>()
    for (const { name, place } of resolved) {
      const location = formatStorePlace(place)
      const other = places.get(location)
      if (other === undefined) places.set(location, name)
      else {
        const message = `"${name}" is the same place as "${other}": what is there would count as two copies`
        this.problems.push({ path: ['repositories', name], message })
      }
    }
    return resolved
  }

  #repository(
    name: string | undefined,
    entry: RepositoryEntry,
    path: readonly string[],
  ): RepositorySettings | undefined {
    const { place: text, key_file, retention } = typeof entry === 'string' ? { place: entry } : entry
    const place = this.#place(text, typeof entry === 'string' ? path : [...path, 'place'])
    if (!place) return undefined
    return {
      name: name ?? text,
      place,
      keyFiles: key_file === undefined ? [] : [this.path(key_file, [...path, 'key_file'])],
      retention: retention && resolveRetention(retention),
    }
  }

  #place(text: string, path: readonly string[]): StorePlace | undefined {
    const expanded = this.expand(text, path)
    if (!isStoreUrl(expanded)) return { kind: 'directory', path: this.#absolute(expanded) }
    try {
      return parseStorePlace(expanded, dirname(this.#options.file))
    } catch (error) {
      if (!hasCode(error, 'usage-invalid')) throw error
      this.problems.push({ path, message: error.message })
      return undefined
    }
  }

  #database(name: string, entry: DatabaseEntry, objectivesOfAll: ObjectivesEntry | undefined): ConfiguredDatabase {
    return {
      name,
      ...this.#reach(entry, ['databases', name]),
      selection: {
        schemas: entry.schemas ?? [],
        excludeSchemas: entry.exclude_schemas ?? [],
        tables: entry.tables ?? [],
        excludeTables: entry.exclude_tables ?? [],
        excludeTableData: entry.exclude_table_data ?? [],
      },
      assertions: (entry.assertions ?? []).map((it) => (typeof it === 'string' ? { name: it, sql: it } : it)),
      retention: entry.retention && resolveRetention(entry.retention),
      hooks: entry.hooks && resolveHooks(entry.hooks),
      objectives: resolveObjectives(entry.objectives, objectivesOfAll),
    }
  }

  #servers({ servers = {}, objectives }: ConfigFile): ReadonlyMap<string, ConfiguredServer> {
    return new Map(
      Object.entries(servers).map(([name, entry]): [string, ConfiguredServer] => {
        const common = {
          ...this.#reach(entry, ['servers', name]),
          selection: everything,
          assertions: [],
          retention: entry.retention && resolveRetention(entry.retention),
          hooks: entry.hooks && resolveHooks(entry.hooks),
          objectives: resolveObjectives(entry.objectives, objectives),
        }
        return [name, { name, include: entry.include ?? ['*'], exclude: entry.exclude ?? [], common }]
      }),
    )
  }

  #reach(entry: ReachEntry, path: readonly string[]): ReachedDatabase {
    if (findPassword(entry.url)) {
      this.problems.push({
        path: [...path, 'url'],
        message: `the url of ${nameOf(path)} holds a password; use password_env, password_file or ~/.pgpass`,
      })
    }
    return {
      conninfo: this.expand(entry.url, [...path, 'url']),
      tunnel: this.#tunnel(entry, path),
      password: resolveSecret('password', entry, path, this),
    }
  }

  #tunnel({ url, tunnel }: ReachEntry, path: readonly string[]): SshPlace | undefined {
    if (tunnel === undefined) return undefined
    const problem = (message: string) => void this.problems.push({ path: [...path, 'tunnel'], message })
    if (isContainerUrl(url)) problem('a database in a container is reached through its engine: set DOCKER_HOST=ssh://…')
    try {
      return parseSshUrl(this.expand(tunnel, [...path, 'tunnel'])).place
    } catch (error) {
      if (!hasCode(error, 'usage-invalid')) throw error
      problem(error.message)
      return undefined
    }
  }

  #pgDump(choice: string | undefined): PgDumpChoice | undefined {
    if (choice === undefined) return undefined
    const known = pgDumpChoice.parse(choice)
    return typeof known === 'string' ? known : { path: this.path(known.path, ['pg_dump']) }
  }

  path(text: undefined, path: readonly string[]): undefined
  path(text: string, path: readonly string[]): string
  path(text: string | undefined, path: readonly string[]): string | undefined
  path(text: string | undefined, path: readonly string[]): string | undefined {
    return text === undefined ? undefined : this.#absolute(this.expand(text, path))
  }

  #absolute(path: string): string {
    if (path === '~' || path.startsWith('~/')) return join(this.#options.homeDirectory, path.slice(1))
    return resolve(dirname(this.#options.file), path)
  }

  expand(text: string, path: readonly string[]): string {
    const { expanded, missing } = expandEnvironment(text, this.#options.environment)
    for (const name of missing) this.problems.push({ path, message: `the environment has no variable ${name}` })
    return expanded
  }
}
