import type { Connection } from '../../postgres/wire/connection.ts'

/** Rows, over all tables. */
export interface DayOfChanges {
  readonly added: number
  readonly changed: number
  readonly deleted: number
}

/** For LIMIT: at least one row. */
const onePercentOf = (table: string) => `(SELECT greatest(1, count(*) / 100) FROM ${table})`
const halfPercentOf = (table: string) => `(SELECT greatest(1, count(*) / 200) FROM ${table})`

/** New prices and searches are like earlier ones, a day later than the newest. The tables' sequences move on. */
const additions = [
  `INSERT INTO flights (origin_airport_id, destination_airport_id, airline, departure_date, departure_time, return_date,
                        return_time, price_per_person, true_cost, booking_class, direct_flight, source, booking_url,
                        scraped_at)
   SELECT origin_airport_id, destination_airport_id, airline, departure_date + 1, departure_time, return_date + 1,
          return_time, round(price_per_person * (0.9 + random() / 5)::numeric, 2), true_cost, booking_class,
          direct_flight, source, 'https://book.example/' || md5(random()::text),
          newest + interval '1 day' + id * interval '1 millisecond'
   FROM flights, (SELECT max(scraped_at) AS newest FROM flights) n
   ORDER BY id DESC LIMIT ${onePercentOf('flights')}`,
  `INSERT INTO price_history (route, price, source, scraped_at)
   SELECT route, round(price * (0.9 + random() / 5)::numeric, 2), source,
          newest + interval '1 day' + id * interval '1 millisecond'
   FROM price_history, (SELECT max(scraped_at) AS newest FROM price_history) n
   ORDER BY id DESC LIMIT ${onePercentOf('price_history')}`,
  `INSERT INTO scraping_jobs (job_type, source, status, items_scraped, started_at, completed_at)
   SELECT job_type, source, 'completed', items_scraped, newest + interval '1 day', newest + interval '1 day 4 minutes'
   FROM scraping_jobs, (SELECT max(started_at) AS newest FROM scraping_jobs) n
   ORDER BY id DESC LIMIT ${onePercentOf('scraping_jobs')}`,
]

const changes = [
  `UPDATE flights SET price_per_person = round(price_per_person * 0.95, 2), updated_at = scraped_at + interval '1 day'
   WHERE id IN (SELECT id FROM flights ORDER BY id DESC LIMIT ${halfPercentOf('flights')})`,
  `UPDATE trip_packages SET notified = NOT notified, ai_score = least(100, ai_score + 1)
   WHERE id IN (SELECT id FROM trip_packages ORDER BY id DESC LIMIT ${halfPercentOf('trip_packages')})`,
]

const deletions = [
  `DELETE FROM flights WHERE id IN (SELECT id FROM flights ORDER BY id LIMIT ${halfPercentOf('flights')})`,
  `DELETE FROM price_history
   WHERE id IN (SELECT id FROM price_history ORDER BY id LIMIT ${halfPercentOf('price_history')})`,
]

/**
 * Does to a travel database what a day of use does: 1 % of the rows of the busy tables come, the newest 0.5 % change, the
 * oldest 0.5 % go, sequences move, the materialized view is refreshed. All or nothing; may be repeated for more days.
 */
export async function letADayPass(
  connection: Connection,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<DayOfChanges> {
  await connection.execute(`BEGIN; SET LOCAL TimeZone = 'UTC'`, options)
  await connection.execute('SELECT setseed(count(*) % 1000 / 1000.0) FROM price_history', options)
  const changed = await countAffected(connection, changes, options)
  const added = await countAffected(connection, additions, options)
  const deleted = await countAffected(connection, deletions, options)
  await connection.execute('REFRESH MATERIALIZED VIEW cheapest_routes; COMMIT', options)
  return { added, changed, deleted }
}

async function countAffected(
  connection: Connection,
  statements: readonly string[],
  options: { readonly signal?: AbortSignal | undefined },
): Promise<number> {
  let affected = 0
  for (const statement of statements) {
    const sql = `WITH affected AS (${statement} RETURNING 1) SELECT count(*) FROM affected`
    const [row] = await connection.query(sql, options)
    affected += Number(row?.[0])
  }
  return affected
}
