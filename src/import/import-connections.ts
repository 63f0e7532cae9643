import { randomBytes } from 'node:crypto'
import { ulid } from 'ulid'
import { Connection } from '../postgres/wire/connection.ts'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import type { PostgresReport } from '../postgres/wire/postgres-error.ts'
import { quoteIdentifier } from '../postgres/sql/quote.ts'
import { prepareForLoading } from '../postgres/wire/session-settings.ts'

/** The text of a dump stays the bytes that it is: the dump tells the server what they mean. */
export const bytesAsText = { encoding: 'latin1' } as const

export async function connectForImport(
  target: ConnectionTarget,
  options: {
    readonly onNotice?: ((notice: PostgresReport) => void) | undefined
    readonly signal?: AbortSignal | undefined
  },
): Promise<Connection> {
  const { onNotice, signal } = options
  const connection = await Connection.connect(target, { onNotice, signal })
  await prepareForLoading(connection)
  connection.encoding = bytesAsText.encoding
  return connection
}

/** A role that owns the database, reads and writes every row, and has no right beyond it. */
export async function createImporter(
  superuser: Connection,
  database: string,
): Promise<Pick<ConnectionTarget, 'user' | 'password'>> {
  const user = `pgrevive_importer_${ulid().toLowerCase()}`
  const password = randomBytes(18).toString('base64url')
  const owned = quoteIdentifier(Buffer.from(database).toString('latin1'), bytesAsText)
  await superuser.execute(`CREATE ROLE ${user} LOGIN BYPASSRLS PASSWORD '${password}'`)
  await superuser.execute(`ALTER DATABASE ${owned} OWNER TO ${user}`)
  if (superuser.serverVersionNumber >= 140000) {
    // for the configuration tables of extensions
    await superuser.execute(`GRANT pg_read_all_data, pg_write_all_data TO ${user}`)
  }
  return { user, password: () => password }
}
