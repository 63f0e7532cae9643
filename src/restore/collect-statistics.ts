import { AppError, hasCode, messageOf } from '../core/app-error.ts'
import type { Connection } from '../postgres/wire/connection.ts'
import { quoteQualified } from '../postgres/sql/quote.ts'
import type { QualifiedName } from '../repository/backups/manifest.ts'
import type { RestorePlan } from '../repository/backups/restore-plan.ts'
import { keyOf } from '../repository/backups/restore-scope.ts'
import type { LoadOptions } from './load-database.ts'

interface AnalyzedTable extends QualifiedName {
  /** A materialized view, which is to be filled before. */
  readonly isView: boolean
}

/**
 * A partitioned table's own statistics are made by nobody else; ANALYZE of it includes its partitions, and whatever
 * inherits from a table. Where that is a foreign table, it would ask another server: then it is left to those below.
 * The last column: whether ANALYZE of a table above includes it as a partition.
 */
const tables = `
  WITH RECURSIVE reaching_out (oid) AS (
    SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class f ON f.oid OPERATOR(pg_catalog.=) i.inhrelid
      WHERE f.relkind OPERATOR(pg_catalog.=) 'f'
    UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN reaching_out r ON r.oid OPERATOR(pg_catalog.=) i.inhrelid)
  SELECT n.nspname, c.relname, c.relkind OPERATOR(pg_catalog.=) 'm',
    c.relispartition AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_inherits i JOIN reaching_out r ON r.oid OPERATOR(pg_catalog.=) i.inhparent
      WHERE i.inhrelid OPERATOR(pg_catalog.=) c.oid)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence IN ('p', 'u')
    AND NOT EXISTS (SELECT FROM reaching_out r WHERE r.oid OPERATOR(pg_catalog.=) c.oid)
    AND n.nspname OPERATOR(pg_catalog.!~) '^pg_' AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema'
  ORDER BY c.relkind OPERATOR(pg_catalog.=) 'p' DESC, pg_catalog.pg_relation_size(c.oid) DESC`

/** Tables that were there before are none of our business, but for those that were filled. */
export async function listTablesToAnalyze(
  connection: Connection,
  plan: RestorePlan,
  options: Pick<LoadOptions, 'intoExistingTables' | 'signal'>,
): Promise<AnalyzedTable[]> {
  const filled = new Set(plan.tables.map(keyOf))
  return (await connection.query(tables, options)).flatMap(([schema, name, isView, isIncluded]) => {
    const table = { schema: schema ?? '', name: name ?? '', isView: isView === 't' }
    const wanted = options.intoExistingTables ? filled.has(keyOf(table)) : isIncluded !== 't'
    return wanted ? [table] : []
  })
}

/** The rows are all there: what stands in the way of statistics is noted, and autovacuum will try again. */
export async function collectStatistics(
  connection: Connection,
  { schema, name }: QualifiedName,
  { onNote, signal }: Pick<LoadOptions, 'onNote' | 'signal'>,
): Promise<void> {
  try {
    await connection.execute(`ANALYZE ${quoteQualified(schema, name, connection)}`, { signal })
  } catch (error) {
    if (!(error instanceof AppError) || hasCode(error, 'connection-lost', 'standby-conflict')) throw error
    onNote(`there are no statistics of ${schema}.${name} yet: ${messageOf(error)}`)
  }
}
