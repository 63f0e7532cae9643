import type { z } from 'zod'
import type { Connection } from '../wire/connection.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/** Runs a query whose rows become JSON on the server, and parses each with `schema`. */
export async function queryJson<Schema extends z.ZodType>(
  connection: Connection,
  schema: Schema,
  sql: string,
  options: QueryOptions = {},
): Promise<z.output<Schema>[]> {
  const rows = await connection.query(`SELECT pg_catalog.row_to_json(q) FROM (${sql}) AS q`, options)
  return rows.map(([json]) => schema.parse(JSON.parse(json ?? 'null')))
}
