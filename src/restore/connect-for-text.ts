import { Connection } from '../postgres/wire/connection.ts'
import { quoteLiteral } from '../postgres/sql/quote.ts'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import type { Manifest } from '../repository/backups/manifest.ts'

/** Connects to a restored database: text goes as UTF-8, and as bytes where the database does not know what they mean. */
export async function connectForText(
  target: ConnectionTarget,
  { database }: Manifest,
  { signal }: { readonly signal?: AbortSignal | undefined },
): Promise<Connection> {
  const connection = await Connection.connect(target, { signal })
  if (database.encoding === 'SQL_ASCII') {
    connection.encoding = 'latin1'
    await connection.execute('SET client_encoding = SQL_ASCII', { signal })
  }
  return connection
}

/** The client_encoding for SQL; rows go in the database's own. */
export function textEncodingOf({ database: { encoding } }: Manifest): string {
  return encoding === 'SQL_ASCII' ? encoding : 'UTF8'
}

export async function withEncoding(
  connection: Connection,
  encoding: string,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  if (connection.parameters.get('client_encoding') !== encoding) {
    await connection.execute(`SET client_encoding = ${quoteLiteral(encoding)}`, { signal })
  }
  return connection
}
