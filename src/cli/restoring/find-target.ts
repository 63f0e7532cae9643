import { isDeepStrictEqual } from 'node:util'
import { AppError } from '../../core/app-error.ts'
import { type ConnectionTarget, describeHost, withDatabase } from '../../postgres/target/connection-target.ts'
import type { CommandContext } from '../command-context.ts'
import { findDatabase, isConninfo } from '../databases/database-target.ts'
import { findWay, reachDatabase } from '../databases/reach-database.ts'

/**
 * A connection string, or the bare name of a database: on the server of the configured database that the backup is of,
 * else on the one that libpq's variables name. Without any, that configured database itself.
 */
export async function findTarget(
  to: string | undefined,
  database: string,
  context: CommandContext,
): Promise<ConnectionTarget> {
  const { config } = await context.settings()
  const { environment } = context
  if (to === undefined) return findConfigured(database, context)
  if (isConninfo(to)) return reachDatabase({ conninfo: to, environment }, context)
  if (/^postgres(ql)?:|:\/\/|@/.test(to)) {
    throw new AppError('usage-invalid', '--to is neither a connection string nor the name of a database', {
      hint: 'a URL begins with postgres://, postgresql://, docker:// or compose://',
    })
  }
  if (!config?.databases.has(database)) {
    return withDatabase(await reachDatabase({ conninfo: undefined, environment }, context), to)
  }
  return withDatabase(await findConfigured(database, context), to)
}

async function findConfigured(database: string, context: CommandContext): Promise<ConnectionTarget> {
  const { config } = await context.settings()
  if (!config?.databases.has(database)) {
    throw new AppError('usage-invalid', `pgrevive.yaml names no database ${JSON.stringify(database)}`, {
      hint: 'name the database with --to: a URL such as postgres://host/name, or a name',
    })
  }
  return reachDatabase(await findDatabase(database, { config, environment: context.environment }), context)
}

/**
 * The live database that a restore into it, or what follows one in place, is about: the one that `to` names, by its name in
 * pgrevive.yaml or as `findTarget` takes it; without `to`, the configured one of this name, or the only one.
 */
export async function findLive(
  to: string | undefined,
  database: string | undefined,
  context: CommandContext,
): Promise<ConnectionTarget> {
  const { config } = await context.settings()
  const names = [...(config?.databases.keys() ?? [])]
  const name = to ?? database ?? (names.length === 1 ? names[0] : undefined)
  if (name !== undefined && config?.databases.has(name)) return findConfigured(name, context)
  if (name !== undefined) return findTarget(to, database ?? name, context)
  throw new AppError('usage-invalid', 'no database is named', {
    hint: `add --to with a URL such as postgres://host/name${names.length > 0 ? `, or one of ${names.join(', ')}` : ''}`,
  })
}

/** The name in pgrevive.yaml of a live database, whose hooks are for it: where `to` does not say it, `otherwise`. */
export async function nameOfLive(to: string | undefined, otherwise: string, context: CommandContext): Promise<string> {
  const { config } = await context.settings()
  return to !== undefined && config?.databases.has(to) ? to : otherwise
}

/**
 * Whether a restore into `target` touches the live database that the backup is of, for which its hooks are; beside it,
 * nothing has to be stopped.
 */
export async function isLive(target: ConnectionTarget, database: string, context: CommandContext): Promise<boolean> {
  const { config } = await context.settings()
  if (!config?.databases.has(database)) return target.database === database
  try {
    const { target: live } = await findWay(
      await findDatabase(database, { config, environment: context.environment }),
      context,
    )
    return (
      live.database === target.database &&
      isDeepStrictEqual(live.hosts.map(describeHost), target.hosts.map(describeHost))
    )
  } catch (error) {
    context.signal.throwIfAborted()
    if (error instanceof AppError) return false // what can not be found is not what was found to restore into
    throw error
  }
}
