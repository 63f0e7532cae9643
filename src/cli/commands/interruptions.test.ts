import assert from 'node:assert/strict'
import { stat } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { dropAbandonedDatabases } from '../../postgres/server/temporary-database.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { type Running, TestHost, assertFailed, connectionVariables, until } from './test-host.ts'

/** About 75 MB of rows that hardly compress: more packs than are under way at once, and several parts of a table. */
const bulk = `
  CREATE TABLE bulk AS
    SELECT i, encode(sha512(i::text::bytea), 'base64') AS v, encode(sha512((-i)::text::bytea), 'base64') AS w
    FROM generate_series(1, 380000) i`
const isReading = "datname = 'bulk' AND state = 'active' AND query LIKE 'COPY%bulk%'"
const bulkContents = 'SELECT count(*), sum(hashtext(v || w)) FROM bulk'

/** Enough rows to be seen while they are loaded. Its index takes for ever to build, but not where it was made. */
const slow = `
  CREATE FUNCTION slow(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
    $$BEGIN IF current_database() <> 'slow' THEN PERFORM pg_sleep(60); END IF; RETURN $1; END$$;
  CREATE TABLE t AS SELECT i, md5(i::text) AS v FROM generate_series(1, 200000) i;
  CREATE INDEX t_slow ON t (public.slow(i)) WHERE i <= 10`

describe('a run that is stopped on its way', { timeout: 600_000 }, () => {
  let server: TestServer
  /** Here no backup is ever completed. */
  let host: TestHost
  before(async () => {
    server = await startTestServer()
    host = await createHost()
    for (const [name, sql] of [
      ['bulk', bulk],
      ['slow', slow],
    ] as const) {
      await loadSql(server.target, `CREATE DATABASE ${name} TEMPLATE template0`)
      await loadSql(withDatabase(server.target, name), sql)
    }
  })
  after(async () => {
    await host[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  async function query(database: string, sql: string) {
    await using connection = await server.connect(database)
    return await connection.query(sql)
  }
  async function createHost(): Promise<TestHost> {
    const host = await TestHost.create(server)
    await host.succeed('init')
    return host
  }
  const sessionsWhere = (condition: string) => `SELECT pid FROM pg_stat_activity WHERE ${condition}`
  /** A backup that stands still when so many sessions read the table, or when it has stored a pack of it. */
  async function startBackup(host: TestHost, when: number | 'storing', ...args: string[]): Promise<Running> {
    const running = await host.start('backup', 'postgres:///bulk', '--json', ...args)
    await using connection = await server.connect()
    await until(async () =>
      when === 'storing'
        ? (await host.objects('packs')).length > 0
        : (await connection.query(sessionsWhere(isReading))).length === when,
    )
    process.kill(running.child.pid, 'SIGSTOP')
    assert.equal(running.child.exitCode, null)
    return running
  }
  const goOn = ({ child }: Running) => process.kill(child.pid, 'SIGCONT')

  it('by Ctrl-C in a backup: exit code 130, nothing is listed, no session and no half-written file is left', async () => {
    const running = await startBackup(host, 'storing')
    goOn(running)
    process.kill(-running.child.pid, 'SIGINT')
    assertFailed(await running.ended, 'interrupted')
    assert.deepEqual(await query('postgres', sessionsWhere("datname = 'bulk'")), [])
    assert.deepEqual(await host.objects('tmp'), [])
    assert.deepEqual(await host.list(), [])
    await host.assertClean({ backups: 0 })
  })

  it('by kill -9 in a backup: the next one stores only the rest, and comes back equal', async () => {
    await using host = await createHost()
    const running = await startBackup(host, 'storing')
    process.kill(running.child.pid, 'SIGKILL')
    assert.equal((await running.ended).signal, 'SIGKILL')
    await host.assertClean({ backups: 0 })
    const kept = await host.objects('packs')
    const { added, id } = await host.backUp('postgres:///bulk')
    const stored = await host.objects('packs')
    assert.deepEqual(
      kept.filter((pack) => !stored.includes(pack)),
      [],
    )
    const sizes = await Promise.all(stored.map(async (path) => (await stat(path)).size))
    const total = sizes.reduce((sum, size) => sum + size, 0)
    assert.ok(added.bytes < total * 0.85, `${added.bytes} of ${total} bytes were stored again`)
    assert.ok(added.chunks < added.ofChunks * 0.85)
    await host.assertClean({ backups: 1 })
    await host.succeed('restore', id, '--to', 'bulk_after_kill')
    assert.deepEqual(await query('bulk_after_kill', bulkContents), await query('bulk', bulkContents))
  })

  const holdsLocks = "state = 'idle in transaction' AND query NOT LIKE 'COPY%'"
  for (const [what, whom, jobs] of [
    ['a reader', isReading, 1],
    ['the holder of the locks, with parts of the table to go', holdsLocks, 1],
    ['the holder of the locks, when nothing is left to begin', holdsLocks, 3],
  ] as const) {
    it(`by an administrator who ends its session, ${what}: one error, and no backup`, async () => {
      const running = await startBackup(host, jobs, '--jobs', String(jobs), '--data-only') // pg_dump would take one of the jobs
      const ended = await query(
        'postgres',
        `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'bulk' AND ${whom}`,
      )
      goOn(running)
      assert.ok(ended.length > 0)
      assertFailed(await running.ended, 'connection-lost')
      await host.assertClean({ backups: 0 })
    })
  }

  describe('in a restore', () => {
    let full: TestHost
    before(async () => {
      full = await createHost()
    })
    after(() => full[Symbol.asyncDispose]())

    it('not by a reader of stdout that goes away: that does not end the work, here of the backup', async () => {
      const running = await full.start('backup', 'postgres:///slow')
      running.child.stdout.destroy()
      const { exitCode, stderr } = await running.ended
      assert.doesNotMatch(stderr, /error|bug/)
      assert.equal(exitCode, 0)
      await full.assertClean({ backups: 1 })
    })

    const workingDatabases = () =>
      query('postgres', "SELECT datname FROM pg_database WHERE datname ~ '^(pgrevive|half)'")
    /** Waits until a statement like this runs in the database that the restore fills. */
    async function untilRunning(pattern: string, on = server): Promise<string> {
      await using connection = await on.connect()
      const sql = sessionsWhere(`datname LIKE 'pgrevive%' AND state = 'active' AND query LIKE '${pattern}'`)
      return await until(async () => (await connection.query(sql))[0]?.[0] ?? undefined)
    }

    for (const pattern of ['COPY%', '%CREATE INDEX%']) {
      it(`by Ctrl-C during ${pattern.replaceAll('%', '')}: exit code 130, and no database is left`, async () => {
        const running = await full.start('restore', 'latest', '--to', 'half', '--json')
        await untilRunning(pattern)
        process.kill(-running.child.pid, 'SIGINT')
        assertFailed(await running.ended, 'interrupted')
        assert.deepEqual(await workingDatabases(), [])
      })
    }

    it('by kill -9 while the server builds an index: that ends soon, and the next run drops the database', async () => {
      const running = await full.start('restore', 'latest', '--to', 'half')
      await untilRunning('%CREATE INDEX%')
      process.kill(running.child.pid, 'SIGKILL')
      await using connection = await server.connect()
      await until(async () => (await connection.query(sessionsWhere("datname LIKE 'pgrevive%'"))).length === 0)
      const notes: string[] = []
      await dropAbandonedDatabases(connection, { onNote: (note) => notes.push(note) })
      assert.match(notes.join(), /^dropped the database pgrevive_restore_/)
      assert.deepEqual(await workingDatabases(), [])
    })

    it('by an administrator who ends its session: one error, and no database is left', async () => {
      const running = await full.start('restore', 'latest', '--to', 'half')
      const pid = await untilRunning('%CREATE INDEX%')
      await query('postgres', `SELECT pg_terminate_backend(${pid})`)
      assertFailed(await running.ended, 'connection-lost')
      assert.deepEqual(await workingDatabases(), [])
    })

    it('by a server that is shot: one error that says what is left, and what to do about it', async () => {
      await using doomed = await startTestServer()
      const restoring = full.with(connectionVariables(doomed))
      const running = await restoring.start('restore', 'latest', '--to', 'half', '--json')
      await untilRunning('COPY%', doomed)
      process.kill(doomed.processId, 'SIGQUIT')
      assertFailed(await running.ended, 'connection-lost', { message: /pgrevive_restore_/, hint: /DROP DATABASE/ })
      await full.assertClean({ backups: 1 })
    })
  })

  // The last test of this file: its server is gone then.
  it('by a server that is shot in a backup: one error, and no backup', async () => {
    const running = await startBackup(host, 1, '--jobs', '1')
    process.kill(server.processId, 'SIGQUIT')
    goOn(running)
    assertFailed(await running.ended, 'connection-lost', { hint: /log|try again/ })
    await host.assertClean({ backups: 0 })
  })
})
