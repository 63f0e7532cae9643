import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { hasCode } from '../../core/app-error.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import { TestHost } from '../commands/test-host.ts'

const preload = new URL('test-durable-steps.ts', import.meta.url).href

const moments = [
  ['its database is there', /^sql sent: CREATE DATABASE/],
  ['rows are loaded', /^sql: (COPY|end of COPY)/],
  ['it is masked', /^sql: UPDATE people/],
  ['others may connect', /^sql: GRANT .* ON DATABASE/],
  ['the names are swapped', /^sql: BEGIN; .*ALTER DATABASE/],
  ['anybody hears that they are', /^sql sent: BEGIN; .*ALTER DATABASE/],
  ['the old one is dropped', /^sql: DROP DATABASE.*_before_/],
] as const

describe('a refresh that is killed', { timeout: 300_000 }, () => {
  let server: TestServer
  let host: TestHost
  before(async () => {
    server = await startTestServer()
    host = await TestHost.create(server)
    await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
    await loadSql(server.target, "CREATE ROLE dev LOGIN PASSWORD 'd'")
    await loadSql(
      withDatabase(server.target, 'shop'),
      "CREATE TABLE people AS SELECT i AS id, 'secret' || i AS email FROM generate_series(1, 300) i; GRANT SELECT ON people TO dev",
    )
    await host.succeed('init')
    await host.succeed('backup', 'postgres:///shop')
    await writeFile(host.path('mask.sql'), "UPDATE people SET email = 'person' || id")
    await writeFile(
      host.path('pgrevive.yaml'),
      "refreshes: { staging: { from: shop, to: { url: 'postgres:///staging' }, sql: [mask.sql], proven: false } }\n",
    )
    await host.succeed('refresh', 'staging')
  })
  after(async () => {
    await host[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  async function databases(): Promise<string[]> {
    await using connection = await server.connect()
    const rows = await connection.query(
      "SELECT datname FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres'",
    )
    return rows.map(([name]) => name ?? '').toSorted()
  }

  /** What a role sees in a database that has none of what it should not see. */
  async function emailsSeenBy(user: string, database: string): Promise<string[]> {
    try {
      await using connection = await Connection.connect({
        ...withDatabase(server.target, database),
        user,
        password: () => 'd',
      })
      return (await connection.query('SELECT email FROM people')).map(([email]) => email ?? '')
    } catch (error) {
      if (hasCode(error, 'permission-denied', 'query-failed')) return []
      throw error
    }
  }

  for (const [what, step] of moments) {
    it(`before ${what} leaves staging whole and shows nobody what is not masked`, async () => {
      const killing = host.with({ NODE_OPTIONS: `--import ${preload}`, PGREVIVE_TEST_KILL_AT: step.source })
      const { signal } = await (await killing.start('refresh', 'staging', '--grace', '0')).ended
      assert.equal(signal, 'SIGKILL', 'no such step')
      for (const database of await databases()) {
        if (database === 'shop') continue
        const seen = await emailsSeenBy('dev', database)
        assert.deepEqual(
          seen.filter((email) => !email.startsWith('person')),
          [],
          database,
        )
        if (database === 'staging') assert.equal(seen.length, 300)
      }
      await host.succeed('refresh', 'staging')
      assert.deepEqual(await databases(), ['shop', 'staging'])
      assert.equal((await emailsSeenBy('dev', 'staging')).length, 300)
    })
  }
})
