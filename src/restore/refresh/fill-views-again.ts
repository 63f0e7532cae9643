import { quoteLiteral, quoteQualified } from '../../postgres/sql/quote.ts'
import type { SchemaEntry } from '../../postgres/pg-dump/schema-text.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import { prepareForLoading } from '../../postgres/wire/session-settings.ts'
import { collectStatistics, listTablesToAnalyze } from '../collect-statistics.ts'
import { connectForText } from '../connect-for-text.ts'
import type { RestoreJob } from '../restore-job.ts'
import { runEntries } from '../run-entries.ts'

/**
 * Materialized views hold what tables held, and statistics show values of theirs: both are made again from what tables hold
 * now. Views that are no more are passed over.
 */
export async function fillViewsAgain(target: ConnectionTarget, job: RestoreJob): Promise<void> {
  const { manifest, plan, notes, options } = job
  const { signal, onProgress } = options
  const onNote = (note: string) => void notes.push(note)
  await using connection = await connectForText(target, manifest, options)
  await prepareForLoading(connection)
  const views: SchemaEntry[] = []
  for (const view of plan.viewData) if (await isThere(connection, view, signal)) views.push(view)
  const tables = await listTablesToAnalyze(connection, plan, { intoExistingTables: false, signal })
  let done = 0
  const tell = ({ name }: { readonly name: string }) =>
    onProgress?.({
      phase: 'views and statistics',
      unit: 'items',
      done: done++,
      total: views.length + tables.length,
      detail: name,
    })
  await runEntries(connection, views, { helpers: plan.helpers, onNote, onEntry: tell, signal })
  for (const table of tables) {
    tell(table)
    await collectStatistics(connection, table, { onNote, signal })
  }
}

async function isThere(
  connection: Connection,
  { schema = '', name }: SchemaEntry,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const view = quoteLiteral(quoteQualified(schema, name), connection)
  const [[found = null] = []] = await connection.query(`SELECT pg_catalog.to_regclass(${view})`, { signal })
  return found !== null
}
