import type { Connection } from '../../postgres/wire/connection.ts'
import { travelRows } from './travel-rows.ts'
import { travelIndexesAndViews, travelTables } from './travel-schema.ts'

export interface TravelDatabaseOptions {
  /** 1 makes about 11 MB, 100 about 1 GB; above 0, and need not be whole. */
  readonly scale: number
  readonly signal?: AbortSignal | undefined
  /** Called before each table is filled. */
  readonly onProgress?: ((progress: { table: string; done: number; total: number }) => void) | undefined
}

/**
 * Makes a family travel planner's database in an empty one. What is in it depends on the scale and on PostgreSQL's
 * version alone. All or nothing.
 */
export async function createTravelDatabase(connection: Connection, options: TravelDatabaseOptions): Promise<void> {
  const { scale, signal } = options
  if (!(scale > 0)) throw new RangeError(`the scale is not above 0: ${scale}`)
  const fillings = travelRows(scale)
  await connection.execute(`BEGIN; SET LOCAL TimeZone = 'UTC'; SELECT setseed(0.42); ${travelTables}`, { signal })
  for (const [done, { table, sql }] of fillings.entries()) {
    options.onProgress?.({ table, done, total: fillings.length })
    await connection.execute(sql, { signal })
  }
  await connection.execute(`${travelIndexesAndViews}; COMMIT`, { signal })
  await connection.execute('ANALYZE', { signal })
}
