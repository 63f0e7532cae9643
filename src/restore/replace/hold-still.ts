import { quoteQualified } from '../../postgres/sql/quote.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import type { Relation } from '../../postgres/catalog/tables.ts'
import { type WaitOptions, explainWaits, lockTimeoutOf } from '../lock-waits.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

const tablesPerStatement = 500

/**
 * Begins a transaction in which nobody else can write into the tables, while everybody can read them. It is the one that
 * drops them later: whatever was committed before can be backed up in between, and nothing is committed after.
 */
export async function holdStill(
  connection: Connection,
  tables: readonly Relation[],
  options: WaitOptions,
): Promise<void> {
  await connection.execute(`BEGIN; SET LOCAL lock_timeout = ${lockTimeoutOf(options)}`, options)
  await explainWaits(options, async () => {
    for (let first = 0; first < tables.length; first += tablesPerStatement) {
      const batch = tables.slice(first, first + tablesPerStatement)
      const names = batch.map(({ schema, name }) => `ONLY ${quoteQualified(schema, name, connection)}`)
      await connection.execute(`LOCK TABLE ${names.join(', ')} IN SHARE MODE`, options)
    }
  })
}

/** Ends what else is connected to the database, as far as the current role may. Returns how many sessions it was. */
export async function endOtherSessions(connection: Connection, options: QueryOptions): Promise<number> {
  const [[count] = ['0']] = await connection.query(
    `SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity
     WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
       AND pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()
       AND CASE WHEN pg_catalog.current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on' THEN true
         ELSE pg_catalog.pg_has_role(usesysid, 'USAGE')
           AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) usesysid) END
       AND coalesce(backend_type, 'client backend') OPERATOR(pg_catalog.=) 'client backend'`,
    options,
  )
  return Number(count)
}
