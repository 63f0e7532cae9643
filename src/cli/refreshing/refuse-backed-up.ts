import { isDeepStrictEqual } from 'node:util'
import { AppError, hasCode, messageOf } from '../../core/app-error.ts'
import { serverDatabaseName } from '../../config/config-servers.ts'
import { type ServerIdentity, isSameServer, readServerIdentity } from '../../postgres/catalog/server-identity.ts'
import { type ConnectionTarget, describeHost, describeTarget } from '../../postgres/target/connection-target.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import type { Backup } from '../../repository/backups/open-backup.ts'
import { readManifest } from '../../repository/backups/open-backup.ts'
import type { Repository } from '../../repository/repository.ts'
import { connectForMaintenance } from '../../restore/maintenance-connection.ts'
import type { CommandContext } from '../command-context.ts'
import { findDatabase } from '../databases/database-target.ts'
import { findWay } from '../databases/reach-database.ts'

/** More is not waited for servers that are only asked who they are. */
const askMs = 10_000

/**
 * Throws `usage-invalid` where the database that a refresh replaces is the one that the backup is of, or one that
 * pgrevive.yaml backs up, whatever it is reached by. Returns notes on those that could not be asked.
 */
export async function refuseBackedUp(
  target: ConnectionTarget,
  { repository, backup }: { readonly repository: Repository; readonly backup: Backup },
  context: CommandContext,
): Promise<string[]> {
  const here = await identityBehind(connectForMaintenance(target, context), context.signal)
  const { server, database } = await readManifest(await repository.openReader(context), backup, context)
  const isSource = server.systemIdentifier !== null && server.systemIdentifier === here.systemIdentifier
  if (isSource && database.name === target.database) throw refusal(target, backup.record.database)
  const names = await configuredNames(target, context)
  const answers = await Promise.all(names.map((name) => compare(name, target, here, context)))
  return answers.flat()
}

/** Those that pgrevive.yaml names, and one of the target's name on each of its servers. */
async function configuredNames({ database }: ConnectionTarget, context: CommandContext): Promise<string[]> {
  const { config } = await context.settings()
  if (!config) return []
  const onServers = Array.from(config.servers.values(), (server) => serverDatabaseName(server, database))
  return [...config.databases.keys(), ...onServers.filter((name) => config.databases.has(name))]
}

async function compare(
  name: string,
  target: ConnectionTarget,
  here: ServerIdentity,
  context: CommandContext,
): Promise<string[]> {
  const { config } = await context.settings()
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(askMs)])
  let configured: ConnectionTarget | undefined
  try {
    configured = (await findWay(await findDatabase(name, { config, environment: context.environment }), context)).target
    if (configured.database !== target.database) return []
    const there = await identityBehind(Connection.connect(configured, { signal }), signal)
    if (isSameServer(here, there)) throw refusal(target, name)
    return []
  } catch (error) {
    context.signal.throwIfAborted()
    if (hasCode(error, 'usage-invalid') || !(error instanceof AppError || signal.aborted)) throw error
    if (configured && isSamePlace(configured, target)) throw refusal(target, name)
    if (hasCode(error, 'database-missing')) return []
    return [`whether ${name} is another database could not be asked there: ${messageOf(error)}`]
  }
}

function isSamePlace(one: ConnectionTarget, other: ConnectionTarget): boolean {
  return isDeepStrictEqual(one.hosts.map(describeHost), other.hosts.map(describeHost))
}

async function identityBehind(connecting: Promise<Connection>, signal: AbortSignal): Promise<ServerIdentity> {
  await using connection = await connecting
  return await readServerIdentity(connection, { signal })
}

function refusal(target: ConnectionTarget, name: string): AppError {
  return new AppError('usage-invalid', `${describeTarget(target)} is "${name}" itself, which is backed up`, {
    hint: 'nothing was changed; a refresh replaces a database of its own, such as staging: correct refreshes in pgrevive.yaml, or name it under exclude of the server. A physical copy of the server counts as the server itself: call the database there by another name',
  })
}
