import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Connection } from '../../postgres/wire/connection.ts'
import { startTestServer, type TestServer } from '../../postgres/server/test-server.ts'
import { createTravelDatabase } from './travel-database.ts'
import { letADayPass } from './travel-day.ts'

/** Rows and the sum of their hashes, from the psql script that this was made after, travelscout.sql at scale 1. */
const originalTables = {
  accommodations: '1500 -97199491540114998854',
  airports: '16 -8027488332523261151',
  cheapest_routes: '24 -49912071737636768954',
  events: '3000 282629327653902914317',
  flights: '20000 -194532740607954747829',
  price_history_2025h1: '17238 -144053263931388921989',
  price_history_2025h2: '17523 451605814832532941708',
  price_history_rest: '5239 485532538007535069564',
  school_holidays: '4 15903160356816884527',
  scraping_jobs: '400 -64840973368340405119',
  trip_packages: '2000 -49966515609854264088',
  user_preferences: '5 8046734551597395206',
}

let server: TestServer
before(async () => {
  server = await startTestServer({ settings: { timezone: 'Asia/Tokyo' } })
})
after(() => server[Symbol.asyncDispose]())

describe('the travel database', () => {
  it('holds the same rows as the script that it was made after, whatever the time zone', async () => {
    await using connection = await server.connect((await server.createDatabase()).database)
    const filled: string[] = []
    await createTravelDatabase(connection, { scale: 1, onProgress: ({ table }) => filled.push(table) })
    assert.deepEqual(await hashTables(connection), originalTables)
    assert.equal(filled.length, 9)
  })

  it('may be small', async () => {
    await using connection = await server.connect((await server.createDatabase()).database)
    await createTravelDatabase(connection, { scale: 0.0123 })
    assert.deepEqual(await connection.query('SELECT count(*) FROM flights'), [['246']])
    await assert.rejects(createTravelDatabase(connection, { scale: 0 }), RangeError)
  })

  it('is not there at all if it was aborted', async () => {
    const { database } = await server.createDatabase()
    const abort = new AbortController()
    {
      await using connection = await server.connect(database)
      const onProgress = ({ table }: { table: string }) => table === 'events' && abort.abort(new Error('enough'))
      const creation = createTravelDatabase(connection, { scale: 0.1, signal: abort.signal, onProgress })
      await assert.rejects(creation, { message: 'enough' })
    }
    await using connection = await server.connect(database)
    assert.deepEqual(await hashTables(connection), {})
  })
})

describe('a day', () => {
  it('adds 1 %, changes and deletes 0.5 % each, and says how many rows', async () => {
    await using connection = await server.connect((await server.createDatabase()).database)
    await createTravelDatabase(connection, { scale: 0.1 })
    const count = async () => {
      const [row] = await connection.query(
        `SELECT (SELECT count(*) FROM flights) + (SELECT count(*) FROM price_history) + (SELECT count(*) FROM scraping_jobs),
                nextval('flights_id_seq')`,
      )
      return (row ?? []).map(Number)
    }
    const [rows = 0, lastFlight = 0] = await count()
    const day = await letADayPass(connection)
    const [rowsAfter = 0, lastFlightAfter = 0] = await count()
    assert.deepEqual(day, { added: 61, changed: 11, deleted: 30 })
    assert.equal(rowsAfter - rows, day.added - day.deleted)
    assert.equal(lastFlightAfter - lastFlight, 21)
    const nextDay = await letADayPass(connection)
    assert.ok(nextDay.added >= day.added)
  })
})

async function hashTables(connection: Connection): Promise<Record<string, string>> {
  await connection.execute(`SET TimeZone = 'UTC'`)
  const tables = await connection.query(
    `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'm') ORDER BY 1`,
  )
  const hashes: Record<string, string> = {}
  for (const [table] of tables) {
    const sum = 'sum(hashtextextended(t::text, 0)::numeric)'
    const [row] = await connection.query(`SELECT count(*) || ' ' || ${sum} FROM ${table} t`)
    hashes[String(table)] = String(row?.[0])
  }
  return hashes
}
