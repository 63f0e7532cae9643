import type { Connection } from '../wire/connection.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/** What tells a server from all others, however it is reached. */
export interface ServerIdentity {
  /** The same on its standbys, and on physical copies of it. */
  readonly systemIdentifier: string | null
  /** When it was started, to the microsecond: no two have that in common. */
  readonly startedAt: string
}

export async function readServerIdentity(connection: Connection, options: QueryOptions = {}): Promise<ServerIdentity> {
  const [[startedAt] = []] = await connection.query(
    'SELECT EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time())',
    options,
  )
  return { systemIdentifier: await readSystemIdentifier(connection, options), startedAt: startedAt ?? '' }
}

export function isSameServer(one: ServerIdentity, other: ServerIdentity): boolean {
  if (one.systemIdentifier !== null && one.systemIdentifier === other.systemIdentifier) return true
  return one.startedAt === other.startedAt
}

/** null: hosted servers may keep it to themselves. */
export async function readSystemIdentifier(connection: Connection, options: QueryOptions = {}): Promise<string | null> {
  const [[mayAsk] = ['f']] = await connection.query(
    "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')",
    options,
  )
  if (mayAsk !== 't') return null
  const [row] = await connection.query('SELECT system_identifier FROM pg_catalog.pg_control_system()', options)
  return row?.[0] ?? null
}
