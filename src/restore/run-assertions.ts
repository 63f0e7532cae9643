import { hasCode, messageOf } from '../core/app-error.ts'
import type { OnProgress } from '../core/progress.ts'
import { Connection, type Row } from '../postgres/wire/connection.ts'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import type { Difference } from './compare-database.ts'

/** A statement of the user's about a restored database. */
export interface Assertion {
  readonly name: string
  /** Must return one row with one column that is true. Runs under the database's own settings. */
  readonly sql: string
}

/** The assertions that do not hold. */
export async function runAssertions(
  target: ConnectionTarget,
  assertions: readonly Assertion[],
  options: { readonly onProgress?: OnProgress | undefined; readonly signal?: AbortSignal | undefined },
): Promise<Difference[]> {
  if (assertions.length === 0) return []
  await using connection = await Connection.connect(target, options)
  const differences: Difference[] = []
  for (const { name, sql } of assertions) {
    options.onProgress?.({ phase: 'assertions', unit: 'items', detail: name })
    const problem = await findProblem(connection, sql, options)
    if (problem !== undefined) differences.push({ object: `assertion ${name}`, problem })
  }
  return differences
}

async function findProblem(
  connection: Connection,
  sql: string,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<string | undefined> {
  try {
    const rows = await connection.query(sql, options)
    const holds = rows.length === 1 && rows[0]?.length === 1 && rows[0][0] === 't'
    return holds ? undefined : `returned ${describeRows(rows)}, not true`
  } catch (error) {
    if (!hasCode(error, 'query-failed', 'permission-denied')) throw error
    return `failed: ${messageOf(error)}`
  }
}

function describeRows(rows: readonly Row[]): string {
  if (rows.length !== 1) return `${rows.length} rows`
  return rows[0]?.length === 1 ? JSON.stringify(rows[0][0]) : `${rows[0]?.length} columns`
}
