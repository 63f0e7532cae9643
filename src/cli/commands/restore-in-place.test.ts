import assert from 'node:assert/strict'
import { readdir, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import { TestHost, assertFailed, connectionVariables, until } from './test-host.ts'

const swapDocument = z.object({
  kept: z.string(),
  run: z.string(),
  withoutNameMs: z.int(),
  endedSessions: z.int(),
})
const inPlaceDocument = z.object({
  backup: z.ulid(),
  database: z.string(),
  rows: z.int(),
  notes: z.array(z.string()),
  verified: z.object({ tables: z.int(), rows: z.int(), schema: z.boolean() }),
  swap: swapDocument,
  safetyBackup: z.ulid().nullable(),
})
const undoDocument = z.object({
  written: z.array(z.object({ schema: z.string(), name: z.string(), change: z.string() })).optional(),
  swap: swapDocument,
})

describe('a restore in place of a live database', () => {
  let server: TestServer
  let host: TestHost
  const held = new AsyncDisposableStack()
  let created = 0
  before(async () => {
    server = held.use(await startTestServer())
    host = held.use(await TestHost.create(server))
    await host.succeed('init')
  })
  after(() => held.disposeAsync())

  async function query(database: string, sql: string): Promise<(string | null)[]> {
    await using connection = await Connection.connect(withDatabase(server.target, database))
    return (await connection.query(sql)).map(([value]) => value ?? null)
  }

  /** A database of 1,000 goods with a comment and a setting, and its backup. */
  async function shop(name = `shop_${++created}`): Promise<{ name: string; url: string; id: string }> {
    const quoted = `"${name.replaceAll('"', '""')}"`
    await loadSql(server.target, `CREATE DATABASE ${quoted} TEMPLATE template0`)
    await loadSql(
      withDatabase(server.target, name),
      `CREATE TABLE goods AS SELECT i AS id, md5(i::text) AS note FROM generate_series(1, 1000) i;
       COMMENT ON DATABASE ${quoted} IS 'it''s a shop'; ALTER DATABASE ${quoted} SET work_mem = '7MB'`,
    )
    const url = `postgres:///${encodeURIComponent(name)}`
    return { name, url, id: (await host.backUp(url)).id }
  }

  const databases = (pattern: string) =>
    query('postgres', `SELECT datname FROM pg_database WHERE datname LIKE '${pattern}' ORDER BY 1`)

  async function configure(text: string): Promise<void> {
    await writeFile(host.path('pgrevive.yaml'), text)
  }

  /** A run that ended right before the swap: the restored database is there and verified. */
  async function leaveVerified(id: string, url: string): Promise<void> {
    await configure(`hooks: { before_restore: [{ run: 'false' }] }`)
    assertFailed(await host.run('restore', id, '--in-place', '--to', url), 'hook-failed', {
      hint: /"pgrevive restore --resume --to postgres:\/\/\/shop_\d+" swaps/,
    })
    await configure('')
    assert.equal((await databases('pgrevive_swap_%')).length, 1)
  }

  it('verifies, saves what is there, swaps the names within a second and keeps the old one', async () => {
    const { name, url, id } = await shop()
    await query(name, 'DELETE FROM goods WHERE id <= 100')
    await query(name, 'CREATE TABLE later()')
    await using idle = await Connection.connect(withDatabase(server.target, name))
    const ended = await host.run('restore', id, '--in-place', '--to', url, '--grace', '0', '--json')
    assert.match(ended.stderr, /^warning: sessions in .* will be ended, .*: postgres \(pgrevive\) 1\n$/)
    const { swap, verified, safetyBackup, rows } = inPlaceDocument.parse(JSON.parse(ended.stdout))
    assert.deepEqual([rows, verified.rows, verified.schema], [1000, 1000, true])
    assert.ok(swap.withoutNameMs < 1000, `${swap.withoutNameMs} ms`)
    assert.equal(swap.endedSessions, 1)
    await assert.rejects(idle.query('SELECT 1'))
    assert.deepEqual(await query(name, 'SELECT count(*) FROM goods'), ['1000'])
    assert.deepEqual(await query(name, "SELECT to_regclass('later')::text"), [null])
    assert.deepEqual(await query(swap.kept, 'SELECT count(*) FROM goods'), ['900'])
    assert.deepEqual(await query(swap.kept, "SELECT to_regclass('later')::text"), ['later'])
    const facts = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
    assert.deepEqual(await query(name, facts), ["it's a shop"])
    assert.deepEqual(await query(name, 'SHOW work_mem'), ['7MB'])
    const saved = (await host.list()).find((backup) => backup.id === safetyBackup)
    assert.deepEqual([saved?.database, saved?.totals.rows], [swap.kept, 900])
  })

  it('undo brings the old one back, says what was written since, and keeps that; undo again takes the undo back', async () => {
    const { name, url, id } = await shop()
    await query(name, 'DELETE FROM goods WHERE id <= 100')
    await host.succeed('restore', id, '--in-place', '--to', url)
    await query(name, "INSERT INTO goods SELECT -i, 'new' FROM generate_series(1, 50) i")
    const said = await host.succeed('restore', '--undo', '--to', url)
    assert.match(said, /will be missing after the undo; the database is kept:\n {2}public\.goods: 1,000 → 1,050 rows\n/)
    assert.deepEqual(await query(name, 'SELECT count(*) FROM goods'), ['900'])
    const [undone] = await databases(`${name}_undone_%`)
    assert.deepEqual(await query(undone ?? '', 'SELECT count(*) FROM goods'), ['1050'])
    const facts = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
    assert.deepEqual(await query(name, facts), ["it's a shop"])
    const { swap } = await host.document(undoDocument, 'restore', '--undo', '--to', url)
    assert.match(swap.kept, /_before_/)
    assert.deepEqual(await query(name, 'SELECT count(*) FROM goods'), ['1050'])
  })

  it('finish drops what was set aside, after a backup of it as it is then', async () => {
    const { name, url, id } = await shop()
    await host.succeed('restore', id, '--in-place', '--to', url)
    const [kept] = await databases(`${name}_before_%`)
    await query(kept ?? '', 'DELETE FROM goods WHERE id > 7')
    await host.succeed('restore', '--finish', '--to', url)
    assert.deepEqual(await databases(`${name}%`), [name])
    await host.succeed('restore', `latest:${kept}`, '--to', 'saved')
    assert.deepEqual(await query('saved', 'SELECT count(*) FROM goods'), ['7'])
    assertFailed(await host.run('restore', '--finish', '--to', url), 'nothing-to-resume')
    assertFailed(await host.run('restore', '--undo', '--to', url), 'nothing-to-resume')
    assertFailed(await host.run('restore', '--resume', '--to', url), 'nothing-to-resume')
    assertFailed(await host.run('restore', '--abort', '--to', url), 'nothing-to-resume')
  })

  it('finish shuts everybody out before the last backup begins; a failure lets all be as it was', async () => {
    const { name, url, id } = await shop()
    await host.succeed('restore', id, '--in-place', '--to', url)
    const [kept] = await databases(`${name}_before_%`)
    assert.ok(kept)
    await using pooled = await Connection.connect(withDatabase(server.target, kept))
    await using blocked = await server.connect()
    await blocked.execute(`BEGIN; COMMENT ON DATABASE ${kept} IS 'mine'`)
    assertFailed(await host.run('restore', '--finish', '--to', url), 'target-busy')
    await blocked.execute('ROLLBACK')
    assert.deepEqual(await databases(`${name}_%`), [kept])
    await configure('pg_dump: /nowhere/pg_dump')
    assert.notEqual((await host.run('restore', '--finish', '--to', url)).exitCode, 0)
    await configure('')
    await assert.rejects(pooled.query("INSERT INTO goods VALUES (0, 'lost?')"))
    assert.deepEqual(await databases(`${name}_%`), [kept])
    assert.deepEqual(await query(kept, 'SELECT count(*) FROM goods'), ['1000'])
    // killed while it is saved: nobody can connect to it by its name, and later runs find it
    await writeFile(
      host.path('waiting'),
      `#!/bin/sh
case "$*" in *--version*) ;; *) touch ${host.path('saving')}; while [ ! -e ${host.path('go')} ]; do sleep 0.05; done ;; esac
exec /usr/lib/postgresql/15/bin/pg_dump "$@"
`,
      { mode: 0o755 },
    )
    await configure('pg_dump: ./waiting')
    const running = await host.start('restore', '--finish', '--to', url)
    await until(async () => (await readdir(host.directory)).includes('saving'))
    await assert.rejects(query(kept, 'DELETE FROM goods'), { code: 'database-missing' })
    running.child.kill('SIGKILL')
    await running.ended
    await writeFile(host.path('go'), '')
    assert.deepEqual(await databases(`${name}_%`), [kept.replace('_before_', '_before_dropping_')])
    await host.succeed('restore', '--finish', '--to', url)
    await configure('')
    assert.deepEqual(await databases(`${name}%`), [name])
  })

  it('takes names that no shell would like, and as long as they may be', async () => {
    for (const odd of [`it's "odd"; DROP DATABASE x --`, 'ö'.repeat(31)]) {
      const { name, url, id } = await shop(odd)
      await host.succeed('restore', id, '--in-place', '--to', url)
      await query(name, 'DELETE FROM goods')
      await host.succeed('restore', '--undo', '--to', url, '--no-compare')
      assert.deepEqual(await query(name, 'SELECT count(*) FROM goods'), ['1000'])
      await host.succeed('restore', '--finish', '--to', url)
    }
  })

  it('is refused before anything is done where it can not work', async () => {
    const { name, url, id } = await shop()
    assertFailed(await host.run('restore', id, '--in-place', '--to', 'postgres:///nowhere'), 'database-missing', {
      hint: /--to nowhere/,
    })
    assertFailed(await host.run('restore', id, '--in-place', '--to', 'postgres:///postgres'), 'usage-invalid')
    assertFailed(await host.run('restore', id, '--in-place', '--to', url, '--table', 'goods'), 'usage-invalid')
    assertFailed(await host.run('restore', id, '--in-place', '--undo', '--to', url), 'usage-invalid')
    assertFailed(await host.run('restore', id, '--undo', '--to', url), 'usage-invalid')
    const part = await host.backUp(url, '--exclude-table-data', 'goods')
    assertFailed(await host.run('restore', part.id, '--in-place', '--to', url), 'usage-invalid', { hint: /--partial/ })
    await loadSql(server.target, `CREATE ROLE nobody_${created} LOGIN PASSWORD 'n'`)
    const weak = host.with({ ...connectionVariables(server), PGUSER: `nobody_${created}`, PGPASSWORD: 'n' })
    assertFailed(await weak.run('restore', id, '--in-place', '--to', url), 'permission-denied', {
      hint: /CREATEDB[^]*--replace/,
    })
    assert.deepEqual(await databases(`${name}%`), [name])
    assert.deepEqual(await databases('pgrevive%'), [])
  })

  it('leaves everything as it was when sessions can not be ended, and can be resumed or aborted then', async () => {
    const { name, url, id } = await shop()
    const owner = `owner_${created}`
    await loadSql(
      server.target,
      `CREATE ROLE ${owner} LOGIN CREATEDB PASSWORD 'o'; ALTER DATABASE ${name} OWNER TO ${owner}`,
    )
    await loadSql(withDatabase(server.target, name), `ALTER TABLE goods OWNER TO ${owner}`)
    await query(name, 'DELETE FROM goods WHERE id <= 100')
    const asOwner = host.with({ PGUSER: owner, PGPASSWORD: 'o' })
    const restore = (...args: string[]) => asOwner.run('restore', ...args, '--to', url)
    for (const way of ['--abort', '--resume'] as const) {
      await using superuser = await Connection.connect(withDatabase(server.target, name))
      assertFailed(await restore(id, '--in-place', '--grace', '0', '--no-owner', '--no-privileges'), 'target-busy', {
        hint: /--resume/,
      })
      assert.deepEqual(await superuser.query('SELECT count(*) FROM goods'), [['900']])
      await superuser[Symbol.asyncDispose]()
      assert.equal((await restore(way)).exitCode, 0)
      assert.deepEqual(await query(name, 'SELECT count(*) FROM goods'), [way === '--abort' ? '900' : '1000'])
      assert.deepEqual(await databases('pgrevive%'), [])
    }
    assert.equal((await asOwner.run('restore', '--undo', '--to', url)).exitCode, 0)
    assert.deepEqual(await query(name, 'SELECT count(*) FROM goods'), ['900'])
  })

  it('does not take a database for its own that somebody else made to look like it', async () => {
    const { name, url, id } = await shop()
    await loadSql(server.target, `CREATE ROLE mallory_${created} LOGIN CREATEDB`)
    await host.succeed('restore', id, '--in-place', '--to', url)
    const [kept = ''] = await databases(`${name}_before_%`)
    const [comment] = await query(
      'postgres',
      `SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '${kept}'`,
    )
    const fake = `${name}_before_20990101_000000`
    const told = comment?.replaceAll((kept ?? '').slice(-15), '20990101_000000').replaceAll("'", "''")
    await loadSql(server.target, `CREATE DATABASE ${fake} OWNER mallory_${created} TEMPLATE template0`)
    await loadSql(server.target, `COMMENT ON DATABASE ${fake} IS '${told}'`)
    await host.succeed('restore', '--undo', '--to', url)
    await host.succeed('restore', '--finish', '--to', url)
    assert.deepEqual(await databases(`${name}%`), [name, fake])
    assertFailed(await host.run('restore', '--undo', '--to', url), 'permission-denied', {
      message: /belongs to mallory/,
    })
    assertFailed(await host.run('restore', '--finish', '--to', url), 'permission-denied')
    await host.succeed('restore', id, '--in-place', '--to', url)
  })

  it('gives the name back where nothing has it any more, and drops nothing then', async () => {
    const { name, url, id } = await shop()
    await query(name, 'DELETE FROM goods WHERE id <= 100')
    await host.succeed('restore', id, '--in-place', '--to', url)
    await leaveVerified(id, url)
    const there = [...(await databases(`${name}_%`)), ...(await databases('pgrevive%'))]
    await loadSql(server.target, `DROP DATABASE ${name}`)
    assertFailed(await host.run('restore', '--finish', '--to', url), 'database-missing', { hint: /--undo/ })
    assert.deepEqual([...(await databases(`${name}_%`)), ...(await databases('pgrevive%'))], there)
    await host.succeed('restore', '--undo', '--to', url)
    assert.deepEqual(await query(name, 'SELECT count(*) FROM goods'), ['900'])
    assert.deepEqual(await databases(`${name}%`), [name])
    await host.succeed('restore', '--abort', '--to', url)
  })

  it('finds what a run has left that was to belong to another role, and has it dropped', async () => {
    const { name, url } = await shop()
    await loadSql(server.target, `CREATE ROLE former_${created}; ALTER DATABASE ${name} OWNER TO former_${created}`)
    const { id } = await host.backUp(url)
    await loadSql(server.target, `ALTER DATABASE ${name} OWNER TO postgres`)
    await leaveVerified(id, url)
    assertFailed(await host.run('restore', '--resume', '--to', url), 'permission-denied', {
      message: /belongs to former/,
      hint: /OWNER TO CURRENT_USER.*--abort/,
    })
    await host.succeed('restore', '--abort', '--to', url)
    assert.deepEqual(await databases('pgrevive%'), [])
    await leaveVerified(id, url)
    await loadSql(server.target, `CREATE ROLE latter_${created}; ALTER DATABASE ${name} OWNER TO latter_${created}`)
    await host.succeed('restore', id, '--in-place', '--to', url)
    assert.deepEqual(await databases('pgrevive%'), [])
    assertFailed(await host.run('restore', '--undo', '--to', url), 'permission-denied', { message: /to latter/ })
    const [kept = ''] = await databases(`${name}_before_%`)
    await loadSql(server.target, `ALTER DATABASE ${kept} OWNER TO CURRENT_USER`)
    assertFailed(await host.run('restore', '--resume', '--to', url), 'nothing-to-resume')
    await host.succeed('restore', '--undo', '--to', url)
  })

  it('that is stopped after the swap says that it is done, and resume does what was to follow', async () => {
    const { name, url, id } = await shop()
    await query(name, 'DELETE FROM goods')
    const stopAfterSwap = async (reached: string) => {
      await configure(`hooks: { after_restore: [{ run: 'touch ${reached}; sleep 100' }] }`)
      const running = await host.start('restore', id, '--in-place', '--to', url)
      await until(async () => (await readdir(host.directory)).includes(reached))
      running.child.kill('SIGINT')
      return running.ended
    }
    const ended = await stopAfterSwap('first')
    assertFailed(ended, 'interrupted')
    assert.match(ended.stdout, /^restored .* in place.*\n {2}swapped at/)
    assert.deepEqual(await query(name, 'SELECT count(*) FROM goods'), ['1000'])
    await configure(`hooks: { after_restore: [{ run: 'touch resumed' }] }`)
    await host.succeed('restore', '--resume', '--to', url)
    assert.ok((await readdir(host.directory)).includes('resumed'))
    assertFailed(await host.run('restore', '--resume', '--to', url), 'nothing-to-resume')
    await stopAfterSwap('second')
    await configure('')
    const finished = await host.succeed('restore', '--finish', '--to', url)
    assert.match(finished, /did not end: start what its hooks stopped/)
  })

  it('takes a backup of another database only if that is confirmed', async () => {
    const [{ id }, { name, url }] = [await shop(), await shop()]
    assertFailed(await host.run('restore', id, '--in-place', '--to', url), 'usage-invalid', { hint: /--confirm/ })
    await host.succeed('restore', id, '--in-place', '--to', url, '--confirm', name)
    await host.succeed('restore', '--finish', '--to', url)
  })

  it('undo counts large objects, sequences and definitions among what was written', async () => {
    const { name, url, id } = await shop()
    await host.succeed('restore', id, '--in-place', '--to', url)
    await query(name, "SELECT lo_from_bytea(0, 'large')")
    await query(name, 'CREATE VIEW later AS SELECT 1 AS one')
    const said = await host.succeed('restore', '--undo', '--to', url)
    assert.match(said, /large objects: 0 → 1/)
    assert.match(said, /\d definitions?\n/)
  })

  it('says what the database itself loses, and ends who holds a table for himself', async () => {
    const { name, url, id } = await shop()
    await loadSql(server.target, `REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC`)
    await using holder = await Connection.connect(withDatabase(server.target, name))
    await holder.execute('BEGIN; LOCK TABLE goods')
    const ended = await host.run('restore', id, '--in-place', '--to', url, '--grace', '1')
    assert.equal(ended.exitCode, 0, ended.stderr)
    assert.match(ended.stderr, /hold tables in .* for themselves are ended/)
    assert.match(ended.stdout, /as in the backup and no longer as they were: privileges/)
    await assert.rejects(holder.query('SELECT 1'))
  })
})
