import type { Container } from '../../containers/container.ts'
import {
  type ContainerReference,
  findContainer,
  isContainerUrl,
  parseContainerUrl,
} from '../../containers/container-reference.ts'
import { type DataPlace, findDataPlace, keptPlace } from '../../containers/data-place.ts'
import type { Engine } from '../../containers/engine.ts'
import { type RecoveryJournal, readJournal } from '../../containers/recovery-journal.ts'
import { AppError, hasCode } from '../../core/app-error.ts'
import type { CommandContext } from '../command-context.ts'
import type { RecoverOptions } from '../commands/recover.ts'
import { refuseServersOwn } from '../../restore/restore-backup.ts'
import { shellWord } from '../../core/text/shell-word.ts'
import { toldRepositories } from '../restoring/told-place.ts'
import { describeBackupReference } from '../repositories/backup-reference.ts'
import type { Settings } from '../settings/settings.ts'
import { type ChosenBackup, chooseBackup } from './choose-backups.ts'

/** What a recovery will do; nothing is done yet. */
export interface RecoveryPlan {
  readonly engine: Engine
  readonly project: string
  readonly server: Container
  /** How to connect once it is fresh: as the container says, and to the database that it makes. */
  readonly reference: ContainerReference
  /** Those that ran when it began. */
  readonly services: readonly Container[]
  readonly data: DataPlace
  /** Where this run keeps what is there. */
  readonly kept: DataPlace
  /** None where an earlier run has restored them. */
  readonly backups: readonly ChosenBackup[]
  readonly journal: RecoveryJournal
  /** A recovery that was begun before and did not end is gone on with. */
  readonly resumed: boolean
  /** The command that goes on with it, should it not end: with the backup that was chosen by name, if one was. */
  readonly goesOn: string
}

/** Looks at the project and opens the backups. Throws before anything is touched. */
export async function planRecovery(
  engine: Engine,
  options: RecoverOptions,
  context: CommandContext,
): Promise<RecoveryPlan> {
  const { project, service } = options
  const all = await engine.projectContainers(project)
  const server = findServer(all, project, service)
  const unfinished = await readJournal(engine, server.name)
  const running = all.filter((container) => container.id !== server.id && container.isRunning)
  const names = [...(unfinished?.services ?? []), ...running.map(({ name }) => name)]
  const journal: RecoveryJournal = {
    run: unfinished?.run ?? context.run,
    startedAt: unfinished?.startedAt ?? new Date().toISOString(),
    services: [...new Set(names)].toSorted(),
    phase: unfinished?.phase ?? 'begun',
  }
  const data = findDataPlace(server)
  const backups: ChosenBackup[] = []
  const missing = journal.phase === 'restored' ? [] : await findDatabaseNames(server, engine, options, context)
  for (const database of missing) {
    backups.push(await chooseBackup(database, { reference: options.backup, ...options }, context))
  }
  for (const { manifest } of backups) refuseServersOwn({ database: manifest.database.name })
  return {
    engine,
    project,
    server,
    reference: {
      in: { kind: 'container', name: server.name },
      user: undefined,
      password: undefined,
      database: undefined,
      settings: new Map(),
    },
    services: journal.services.flatMap((name) => all.filter((container) => container.name === name)),
    data,
    kept: keptPlace(data, context.run),
    backups,
    journal,
    resumed: unfinished !== undefined,
    goesOn: commandOf(options, backups, await context.settings()),
  }
}

function commandOf(
  { project, service, backup, allowUnproven, partial }: RecoverOptions,
  [chosen]: readonly ChosenBackup[],
  settings: Settings,
): string {
  return [
    `pgrevive recover --project ${shellWord(project)}`,
    ...(service === undefined ? [] : [`--service ${shellWord(service)}`]),
    ...(backup ? [`--backup ${shellWord(chosen?.backup.id ?? describeBackupReference(backup))}`] : []),
    ...(allowUnproven ? ['--allow-unproven'] : []),
    ...(partial ? ['--partial'] : []),
    ...toldRepositories(settings),
  ].join(' ')
}

/** The service that is named, or the only one that looks like PostgreSQL. */
function findServer(all: readonly Container[], project: string, service: string | undefined): Container {
  const fitting = all.filter((container) =>
    service === undefined
      ? container.environment.has('POSTGRES_PASSWORD') ||
        container.environment.has('POSTGRES_PASSWORD_FILE') ||
        container.environment.has('PGDATA')
      : container.service === service,
  )
  const [only] = fitting
  if (only && fitting.length === 1) return only
  const services = all.flatMap((container) => container.service ?? [])
  throw new AppError(
    'container-missing',
    service === undefined
      ? `${fitting.length} services of "${project}" look like a PostgreSQL server`
      : `${fitting.length} containers of "${project}" are of the service "${service}"`,
    { hint: `name the service with --service: it has ${services.toSorted().join(', ')}` },
  )
}

/** As backups name them: the databases of pgrevive.yaml that are in this container, or else the one that it makes. */
async function findDatabaseNames(
  server: Container,
  engine: Engine,
  { backup }: RecoverOptions,
  context: CommandContext,
): Promise<string[]> {
  const own = server.environment.get('POSTGRES_DB') || server.environment.get('POSTGRES_USER') || 'postgres'
  if (backup) return [own]
  const { config } = await context.settings()
  const names: string[] = []
  for (const { name, conninfo } of config?.databases.values() ?? []) {
    if (isContainerUrl(conninfo) && (await leadsTo(server, engine, conninfo))) names.push(name)
  }
  return names.length > 0 ? names : [own]
}

async function leadsTo(server: Container, engine: Engine, url: string): Promise<boolean> {
  try {
    return (await findContainer(engine, parseContainerUrl(url))).id === server.id
  } catch (error) {
    if (hasCode(error, 'container-missing')) return false
    throw error
  }
}
