import { quoteQualified } from '../../postgres/sql/quote.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import type { Relation } from '../../postgres/catalog/tables.ts'
import { type WaitOptions, explainWaits, lockTimeoutOf } from '../lock-waits.ts'

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
