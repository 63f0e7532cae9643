import type { Connection } from '../postgres/wire/connection.ts'
import { withoutLz4 } from '../postgres/pg-dump/schema-text.ts'
import type { RestorePlan } from '../repository/backups/restore-plan.ts'

/** Whether the server was built with lz4. One that was not refuses columns that ask for it, npm's for example. */
export async function hasLz4(
  connection: Connection,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<boolean> {
  const [row] = await connection.query(
    `SELECT 'lz4' OPERATOR(pg_catalog.=) ANY (enumvals) FROM pg_catalog.pg_settings
     WHERE name OPERATOR(pg_catalog.=) 'default_toast_compression'`,
    options,
  )
  return row?.[0] === 't'
}

/** The same plan for a server that has no lz4: how values are stored changes, what they are does not. */
export function planWithoutLz4(plan: RestorePlan, onNote: (note: string) => void): RestorePlan {
  const beforeData = plan.beforeData.map(withoutLz4)
  const changed = beforeData.filter((entry, index) => entry !== plan.beforeData[index])
  if (changed.length === 0) return plan
  const tables = changed.length === 1 ? '1 table' : `${changed.length} tables`
  onNote(`columns of ${tables} are compressed with pglz: the server was built without lz4`)
  return { ...plan, beforeData }
}
