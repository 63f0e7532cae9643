import { hasCode } from '../core/app-error.ts'
import { Connection } from '../postgres/wire/connection.ts'
import { type ConnectionTarget, withDatabase } from '../postgres/target/connection-target.ts'
import { prepareForLoading } from '../postgres/wire/session-settings.ts'

/** CREATE DATABASE and the like need a connection to another database: postgres, or where there is none, template1. */
export async function connectForMaintenance(
  target: ConnectionTarget,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<Connection> {
  const connection = await connect(target, 'postgres', options).catch((error: unknown) => {
    if (!hasCode(error, 'database-missing')) throw error
    return connect(target, 'template1', options)
  })
  await prepareForLoading(connection)
  await connection.execute('RESET synchronous_commit') // a database that is said to be there survives a crash of the server
  return connection
}

function connect(
  target: ConnectionTarget,
  database: string,
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<Connection> {
  return Connection.connect(withDatabase(target, database), { signal })
}
