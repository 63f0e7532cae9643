import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { AppError, hasCode } from '../core/app-error.ts'
import { listDatabases } from '../postgres/catalog/database.ts'
import { Connection } from '../postgres/wire/connection.ts'
import { withDatabase } from '../postgres/target/connection-target.ts'
import { dropTemporaryDatabase, reserveTemporaryDatabase } from '../postgres/server/temporary-database.ts'
import { TestBench } from './test-bench.ts'

describe('what an unfinished restore or proof leaves on a server', { timeout: 180_000 }, () => {
  let bench: TestBench
  let id: string
  before(async () => {
    bench = await TestBench.start()
    id = await bench.backUp(await bench.database('CREATE TABLE t AS SELECT 1 AS i'))
  })
  after(() => bench[Symbol.asyncDispose]())

  const onServer = (sql: string) => bench.query(bench.server.target, sql)
  const named = async (pattern: string) =>
    (await onServer(`SELECT datname FROM pg_database WHERE datname ~ '${pattern}' ORDER BY 1`)).map(([name]) => name)
  /** As a run that was killed leaves it. */
  async function abandon(purpose: 'restore' | 'proof'): Promise<string> {
    await using killed = await bench.server.connect()
    const name = await reserveTemporaryDatabase(killed, purpose)
    await killed.execute(`CREATE DATABASE ${name}`)
    return name
  }

  describe('a temporary database', () => {
    let restores = 0
    const restore = async () => (await bench.restore(id, `restored_${++restores}`)).outcome.notes.join('\n')
    beforeEach(async () => {
      await using connection = await bench.server.connect()
      for (const name of await named('^pgrevive_')) await dropTemporaryDatabase(connection, name ?? '', { force: true })
    })

    it('of a killed run is dropped by the next restore, which says so, even if it was made a template', async () => {
      const left = [await abandon('restore'), await abandon('proof')]
      await onServer(`ALTER DATABASE ${left[0]} IS_TEMPLATE true`)
      const notes = await restore()
      for (const name of left) assert.match(notes, new RegExp(`dropped the database ${name}`))
      assert.deepEqual(await named('^pgrevive_'), [])
    })

    it('of a killed run is dropped by the next proof on that server', async () => {
      const name = await abandon('proof')
      const { notes } = await bench.expectProven(id, { on: bench.server.target })
      assert.match(notes.join(), new RegExp(`dropped the database ${name}`))
      assert.deepEqual(await named('^pgrevive_'), [])
    })

    it('of a living run is left alone, and so is one of another name', async () => {
      await using living = await bench.server.connect()
      const name = await reserveTemporaryDatabase(living, 'restore')
      const notes = 'pgrevive_restore_notes'
      await onServer(`CREATE DATABASE ${name}`)
      await onServer(`CREATE DATABASE ${notes}`)
      assert.doesNotMatch(await restore(), /pgrevive_/)
      assert.deepEqual(await named('^pgrevive_'), [name, notes].toSorted())
    })

    it('in which a statement of the killed run goes on is dropped all the same', async () => {
      const name = await abandon('restore')
      const orphan = await Connection.connect(withDatabase(bench.server.target, name))
      const building = assert.rejects(orphan.query('SELECT pg_sleep(60)'), (error) => hasCode(error, 'connection-lost'))
      assert.match(await restore(), /dropped/)
      await building
    })

    it('that somebody is looking at stays, and is named with what to do', async () => {
      const name = await abandon('restore')
      await using _guest = await Connection.connect({
        ...withDatabase(bench.server.target, name),
        applicationName: 'psql',
      })
      assert.match(await restore(), new RegExp(`${name}.*accessed by other users.*DROP DATABASE "${name}"`))
      assert.deepEqual(await named('^pgrevive_'), [name])
    })

    it('with a subscription is dropped without a word to the publisher', async () => {
      const name = await abandon('restore')
      const sql = `CREATE SUBSCRIPTION s CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false, slot_name = 'theirs')`
      await bench.query(withDatabase(bench.server.target, name), sql)
      assert.match(await restore(), /dropped/)
      assert.deepEqual(await named('^pgrevive_'), [])
    })

    it('is not backed up with its server', async () => {
      const name = await abandon('restore')
      await using connection = await bench.server.connect()
      const databases = (await listDatabases(connection)).map((database) => database.name)
      assert.ok(databases.includes('postgres') && !databases.includes(name))
    })
  })

  it('a database that was there and is half filled says so, and what to do works', async () => {
    const { database } = await bench.database()
    await bench.query(withDatabase(bench.server.target, database), 'CREATE SCHEMA pgrevive_restore_unfinished')
    const refused = await bench.restore(id, database).catch((error: unknown) => error)
    assert.ok(refused instanceof AppError)
    assert.equal(refused.code, 'target-not-empty')
    assert.match(refused.message, /a restore into it did not end/)
    const [, drop = '', create = ''] = /: (DROP DATABASE .*?); (CREATE DATABASE .*);$/.exec(refused.hint ?? '') ?? []
    await onServer(drop)
    await onServer(create)
    const restored = await bench.restore(id, database)
    assert.deepEqual(await bench.query(restored, 'SELECT i FROM t'), [['1']])
  })

  it('a database that is half filled is not backed up, and a backup that holds the mark is restored without it', async () => {
    const target = await bench.database('CREATE TABLE t AS SELECT 1 AS i; CREATE SCHEMA pgrevive_restore_unfinished')
    const refuse = async (hint: RegExp) => {
      const refused = await bench.backUp(target).catch((error: unknown) => error)
      assert.ok(refused instanceof AppError, String(refused))
      assert.equal(refused.code, 'database-unfinished')
      assert.match(refused.hint ?? '', hint)
    }
    await refuse(/the restore that was stopped again.*DROP SCHEMA pgrevive_restore_unfinished/)
    await bench.query(target, `COMMENT ON SCHEMA pgrevive_restore_unfinished IS 'safety backup ${id}'`)
    await refuse(new RegExp(`restore ${id} --replace`))
    await bench.query(target, 'GRANT USAGE ON SCHEMA pgrevive_restore_unfinished TO PUBLIC')
    const older = await bench.backUp(target, { refuseUnfinished: false })
    await bench.expectProven(older)
    const restored = await bench.restore(older, `${target.database}_again`)
    assert.deepEqual(await bench.query(restored, "SELECT i, to_regnamespace('pgrevive_restore_unfinished') FROM t"), [
      ['1', null],
    ])
    await bench.query(target, 'CREATE ROLE eve; ALTER SCHEMA pgrevive_restore_unfinished OWNER TO eve')
    await bench.backUp(target)
  })

  it('tables that were filled by a run that did not end are named, with what empties them', async () => {
    const sql = 'CREATE TABLE t (i int); CREATE TABLE u (i int)'
    const backup = await bench.backUp(
      await bench.database(`${sql}; INSERT INTO t VALUES (1); INSERT INTO u VALUES (2)`),
    )
    const target = await bench.database(`${sql}; INSERT INTO u VALUES (2)`)
    const dataOnly = { content: 'data-only' } as const
    const refused = await bench.restore(backup, target.database, dataOnly).catch((error: unknown) => error)
    assert.ok(refused instanceof AppError)
    assert.equal(refused.code, 'target-not-empty')
    const [truncate = ''] = /TRUNCATE .*$/.exec(refused.hint ?? '') ?? []
    await bench.query(target, truncate)
    await bench.restore(backup, target.database, dataOnly)
    assert.deepEqual(await bench.query(target, 'SELECT * FROM t, u'), [['1', '2']])
  })

  it('large objects that were made by a run that did not end are named, with what removes them and no others', async () => {
    const made = (from: number, to: number) => `SELECT lo_create(i) FROM generate_series(${from}, ${to}) i;`
    const backup = await bench.backUp(
      await bench.database(
        `CREATE TABLE t AS SELECT 1 AS i; ${made(1000, 1600)} SELECT lo_put(1601, 0, 'x') FROM lo_create(1601)`,
      ),
    )
    // 999 and 1700 are of somebody else
    const target = await bench.database(`CREATE TABLE t (i int); ${made(999, 1600)} ${made(1700, 1700)}`)
    const dataOnly = { content: 'data-only' } as const
    const oids = 'SELECT oid FROM pg_largeobject_metadata ORDER BY oid'
    const refused = await bench.restore(backup, target.database, dataOnly).catch((error: unknown) => error)
    assert.ok(refused instanceof AppError)
    assert.equal(refused.code, 'target-not-empty')
    assert.match(refused.message, /holds 601 of the 602 large objects already/)
    const [unlink = ''] = /SELECT lo_unlink.* LIMIT \d+/.exec(refused.hint ?? '') ?? []
    while ((await bench.query(target, unlink)).length > 0);
    assert.deepEqual(await bench.query(target, oids), [['999'], ['1700']])
    await bench.restore(backup, target.database, dataOnly)
    assert.deepEqual(
      await bench.query(target, "SELECT count(*), convert_from(lo_get(1601), 'UTF8') FROM pg_largeobject_metadata"),
      [['604', 'x']],
    )
  })

  it('a database that another restore is filling says so', async () => {
    const backup = await bench.backUp(
      await bench.database('CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 100000) i'),
    )
    const { database } = await bench.database()
    let second: Promise<unknown> | undefined
    const onProgress = () => {
      second ??= bench.restore(backup, database).catch((error: unknown) => error)
    }
    await bench.restore(backup, database, {}, { onProgress })
    const refused = await second
    assert.ok(refused instanceof AppError)
    assert.match(refused.message, /another restore fills the database/)
  })
})
