import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import type { Row } from '../../postgres/wire/connection.ts'
import { createTravelDatabase } from '../demo/travel-database.ts'
import { TestHost, assertFailed, until } from './test-host.ts'

const value = z.string().nullable()
const tableDiffDocument = z.strictObject({
  table: z.strictObject({ schema: z.string(), name: z.string() }),
  key: z.array(z.string()),
  columns: z.array(z.string()),
  onlyInBackup: z.array(z.string()),
  onlyLive: z.array(z.string()),
  backupRows: z.int(),
  liveRows: z.int(),
  equal: z.int(),
  missing: z.int(),
  changed: z.int(),
  extra: z.int(),
  differences: z.array(
    z.strictObject({
      kind: z.enum(['missing', 'changed', 'extra']),
      key: z.record(z.string(), value),
      changes: z.array(z.strictObject({ column: z.string(), before: value, after: value })),
    }),
  ),
  inserted: z.int().nullable(),
})
const rowsDiffDocument = z.strictObject({
  backup: z.ulid(),
  target: z.string(),
  equal: z.boolean(),
  tables: z.array(tableDiffDocument),
  notes: z.array(z.string()),
  durationMs: z.int(),
})

describe(
  'restore --diff and --apply on flights of which one in a hundred is deleted and another changed',
  { timeout: 300_000 },
  () => {
    let server: TestServer
    let host: TestHost
    before(async () => {
      server = await startTestServer()
      host = await TestHost.create(server)
      await loadSql(server.target, 'CREATE DATABASE travel TEMPLATE template0')
      {
        await using connection = await server.connect('travel')
        await createTravelDatabase(connection, { scale: 0.5 })
      }
      await host.succeed('init')
      await writeFile(host.path('pgrevive.yaml'), 'databases:\n  travel:\n    url: postgres:///travel\n')
      await host.backUp('travel')
      await loadSql(
        withDatabase(server.target, 'travel'),
        `DELETE FROM flights WHERE id % 100 = 7; UPDATE flights SET price_per_person = price_per_person + 1 WHERE id % 100 = 42;
       UPDATE flights SET return_date = NULL, airline = upper(airline) WHERE id = 142;
       INSERT INTO flights (origin_airport_id, destination_airport_id, airline, departure_date, price_per_person, source, scraped_at)
         SELECT 1, 5, 'extra', '2027-01-01', 10, 'x', '2027-01-01' FROM generate_series(1, 12);
       CREATE TABLE before AS SELECT * FROM flights`,
      )
    })
    after(async () => {
      await host[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    })

    async function query(sql: string): Promise<Row[]> {
      await using connection = await server.connect('travel')
      return await connection.query(sql)
    }

    async function diff(exitCode: number, ...args: string[]) {
      const ended = await host.run('restore', 'latest', '--table', 'public.flights', ...args, '--json')
      assert.deepEqual([ended.exitCode, ended.stderr], [exitCode, ''], ended.stdout)
      const document = rowsDiffDocument.parse(JSON.parse(ended.stdout))
      const [table] = document.tables
      assert.ok(table)
      return { ...document, ...table }
    }

    const numbers = (rest: number) => Array.from({ length: 100 }, (_, i) => String(i * 100 + rest))

    it('is exact, by the key and by the value', async () => {
      const { equal, missing, changed, extra, liveRows, backupRows, differences, notes } = await diff(9, '--diff')
      assert.deepEqual([backupRows, liveRows, equal, missing, changed, extra], [10_000, 9912, 9800, 100, 100, 12])
      const keys = (kind: string) => differences.filter((it) => it.kind === kind).map(({ key }) => key['id'])
      assert.deepEqual(keys('missing'), numbers(7))
      assert.deepEqual(keys('changed'), numbers(42))
      assert.deepEqual(
        keys('extra'),
        Array.from({ length: 12 }, (_, i) => String(10_001 + i)),
      )
      assert.match(notes.join('\n'), /generated: total_price$/)
      const [[before, after, airline, day] = []] = await query(
        `SELECT price_per_person - 1, price_per_person, airline, departure_date FROM flights WHERE id = 142`,
      )
      const found = differences.find(({ key }) => key['id'] === '142')?.changes
      assert.ok(day)
      assert.deepEqual(
        found?.filter(({ column }) => column === 'price_per_person'),
        [{ column: 'price_per_person', before, after }],
      )
      assert.equal(found?.find(({ column }) => column === 'airline')?.after, airline)
      assert.ok(found.every(({ column }) => ['airline', 'return_date', 'price_per_person'].includes(column)))
    })

    it('shows people the first ones, and how many more there are', async () => {
      const { stdout, exitCode } = await host.run(
        'restore',
        'latest',
        '--table',
        'public.flights',
        '--diff',
        '--limit',
        '2',
      )
      assert.equal(exitCode, 9)
      assert.match(
        stdout,
        /^-  only in backup \S+ of travel, .*\n\+  only in \S+\/travel now\n\ndifferent: public\.flights: 9,800 equal, 100 missing, 100 changed, 12 extra\n/,
      )
      assert.match(stdout, /^-  id=7\n-  id=107\n~  id=42  +price_per_person \S+ → \S+\n~  id=142 .*\n\+  id=10001\n/m)
      assert.match(stdout, /^   and 98 missing, 98 changed, 10 extra: --limit shows more$/m)
      assert.deepEqual((await diff(9, '--diff', '--limit', '0')).differences, [])
    })

    it('brings back exactly what is missing, and nothing else', async () => {
      const { inserted, missing } = await diff(0, '--apply', 'missing')
      assert.deepEqual([missing, inserted], [100, 100])
      const left = await diff(9, '--diff')
      assert.deepEqual([left.missing, left.changed, left.extra], [0, 100, 12])
      assert.deepEqual(await query('SELECT * FROM before EXCEPT SELECT * FROM flights'), [])
      assert.deepEqual(
        await query(
          'SELECT count(*), count(*) FILTER (WHERE id % 100 = 7 AND id <= 10000), (SELECT last_value FROM flights_id_seq) FROM flights',
        ),
        [['10012', '100', '10012']],
      )
      assert.equal((await diff(0, '--apply', 'missing')).inserted, 0)
      await query(
        `CREATE FUNCTION swallows() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
         CREATE TRIGGER swallows BEFORE INSERT ON flights FOR EACH ROW WHEN (NEW.id = 107) EXECUTE FUNCTION swallows();
         DELETE FROM flights WHERE id IN (7, 107)`,
      )
      const swallowed = await diff(9, '--apply', 'missing')
      assert.deepEqual([swallowed.missing, swallowed.inserted], [2, 1])
      assert.match(swallowed.notes.join('\n'), /of 2 missing rows 1 were inserted; .* trigger/)
      await query('DROP FUNCTION swallows CASCADE')
      assert.equal((await diff(0, '--apply', 'missing')).inserted, 1)
      await query('DELETE FROM flights WHERE id > 10000; UPDATE flights SET price_per_person = price_per_person')
      assertFailed(
        await host.run('restore', 'latest', '--table', 'flights', '--diff', '--where', 'true', '--json'),
        'usage-invalid',
        {
          message: /^--where does not go with --diff or --apply$/,
        },
      )
      const others = await host.succeed(
        'restore',
        'latest',
        '--table',
        'airports',
        '--table',
        'price_history',
        '--diff',
        '--key',
        'id',
      )
      assert.match(others, /^equal: public\.airports: 16 equal\n[^]*^equal: public\.price_history: [\d,]+ equal$/m)
    })

    it('inserts all or nothing: a run that is killed in the middle leaves the table as it was', async () => {
      await query(
        `CREATE FUNCTION waits() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NEW; END $$;
         CREATE TRIGGER waits AFTER INSERT ON flights FOR EACH ROW WHEN (NEW.id = 107) EXECUTE FUNCTION waits();
         DELETE FROM flights WHERE id % 100 = 7`,
      )
      await using holding = await server.connect('travel')
      await holding.execute('SELECT pg_advisory_lock(7)')
      const run = await host.start('restore', 'latest', '--table', 'flights', '--apply', 'missing')
      const [process = ''] = await until(async () => {
        const [row] = await query("SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory'")
        return row
      })
      run.child.kill('SIGKILL')
      await run.ended
      await holding.execute('SELECT pg_advisory_unlock(7)')
      await until(async () => (await query(`SELECT FROM pg_stat_activity WHERE pid = ${process}`)).length === 0)
      assert.deepEqual(await query('SELECT count(*) FROM flights WHERE id % 100 = 7'), [['0']])
      assert.equal((await diff(0, '--apply', 'missing')).inserted, 100)
    })
  },
)
