import { AppError } from '../../core/app-error.ts'
import { quoteLiteral } from '../../postgres/sql/quote.ts'
import type { CommandOptions, Connection } from '../../postgres/wire/connection.ts'

/**
 * A publication of all tables, or of all in a schema, would send a new table's rows to subscribers, who lack the table and
 * stop replicating. Refused where anybody could listen.
 */
export async function refusePublished(connection: Connection, schema: string, options: CommandOptions): Promise<void> {
  const ofSchema =
    connection.serverVersionNumber < 150000
      ? ''
      : `OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace s JOIN pg_catalog.pg_namespace n ON n.oid = s.pnnspid
           WHERE s.pnpubid = p.oid AND n.nspname = ${quoteLiteral(schema, connection)})`
  const [[publication] = [null]] = await connection.query(
    `SELECT p.pubname FROM pg_catalog.pg_publication p
     WHERE p.pubinsert AND (p.puballtables ${ofSchema}) AND EXISTS (
       SELECT FROM pg_catalog.pg_replication_slots s
       WHERE s.slot_type = 'logical' AND s.database = pg_catalog.current_database())`,
    options,
  )
  if (publication === null) return
  throw new AppError(
    'restore-failed',
    `the publication ${publication} would send new tables in ${schema} to subscribers that lack them`,
    {
      hint: 'nothing was changed; restore into a database of its own with --to NAME, or into a schema that is not published',
    },
  )
}
