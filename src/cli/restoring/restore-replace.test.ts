import assert from 'node:assert/strict'
import { readdir, rm, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { type TestServer, runClient, startTestServer } from '../../postgres/server/test-server.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import { type ConnectionTarget, withDatabase } from '../../postgres/target/connection-target.ts'
import { TestHost, assertFailed, restoreDocument, until } from '../commands/test-host.ts'

const replaceDocument = restoreDocument.extend({
  safetyBackup: z.ulid(),
  atOnce: z.boolean(),
  verified: z.literal(true),
})

/** More are for an afternoon: the first two are killed between dropping and loading, the others anywhere. */
const rounds = Number(process.env['PGREVIVE_REPLACE_KILLS'] ?? 2)

describe('restore --replace', { timeout: 600_000 }, () => {
  let server: TestServer
  let superuser: TestHost
  /** Logs in as the owner of the database `shop`, who may create none. */
  let host: TestHost
  let shop: ConnectionTarget
  before(async () => {
    server = await startTestServer()
    superuser = await TestHost.create(server)
    await using connection = await server.connect()
    await connection.execute("CREATE ROLE shopkeeper LOGIN PASSWORD 's'")
    await connection.execute('CREATE DATABASE shop OWNER shopkeeper')
    host = superuser.with({ PGUSER: 'shopkeeper', PGPASSWORD: 's' })
    shop = { ...withDatabase(server.target, 'shop'), user: 'shopkeeper', password: () => 's' }
    await query(
      `CREATE TABLE orders (id int PRIMARY KEY, v text);
       INSERT INTO orders SELECT i, md5(i::text) FROM generate_series(1, 5000) i`,
    )
    await host.succeed('init')
  })
  after(async () => {
    await superuser[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  async function query(sql: string) {
    await using connection = await Connection.connect(shop)
    return await connection.query(sql)
  }

  async function dump(): Promise<string> {
    const text = await runClient(withDatabase(server.target, 'shop'), 'pg_dump', [])
    return text.replaceAll(/^\\(un)?restrict .*$/gm, '')
  }

  it('asks for the name of the database, plans without touching it, and says how to come back', async () => {
    const { id } = await host.backUp('dbname=shop')
    await query('DELETE FROM orders WHERE id > 10')
    const before = await dump()
    const restore = ['restore', id, '--replace', '--to', 'shop']
    await writeFile(host.path('pgrevive.yaml'), "hooks: { on_failure: [{ run: 'touch failed' }] }")
    assertFailed(await host.run(...restore), 'usage-invalid', {
      message: /nobody has confirmed/,
      hint: /--confirm "shop"/,
    })
    assertFailed(await host.run(...restore, '--confirm', 'shopp'), 'usage-invalid', {
      message: /"shopp" was confirmed/,
    })
    assert.ok(!(await readdir(host.directory)).includes('failed')) // nobody wanted it
    await rm(host.path('pgrevive.yaml'))
    const plan = await host.succeed(...restore, '--plan')
    assert.match(plan, /1\. lock all tables of "shop"[^]*commit all of this at once[^]*ok +database +there +1 objects/)
    assert.equal(await dump(), before)
    const done = await host.run(...restore, '--confirm', 'shop')
    assert.equal(done.exitCode, 0, done.stderr)
    assert.match(done.stderr, /dropped: 1 table\n/)
    assert.match(done.stderr, /whoever looks sees the old contents or the new ones/)
    assert.match(done.stdout, /compared with what was backed up: equal/)
    const [, back = ''] = /what was there before comes back with: pgrevive (.*)$/m.exec(done.stdout) ?? []
    assert.deepEqual(await query('SELECT count(*) FROM orders'), [['5000']])
    const pinned = (await host.list()).filter(({ pin }) => pin)
    assert.deepEqual(
      pinned.map(({ pin }) => pin?.reason),
      [`before restore of ${id}`],
    )
    await host.succeed(...back.split(' '))
    assert.equal(await dump(), before)
  })

  it('takes its own word alone for what need not be backed up', async () => {
    const { id } = await host.backUp('dbname=shop')
    const replace = ['restore', id, '--replace', '--to', 'shop', '--confirm', 'shop']
    const { safetyBackup } = await host.document(replaceDocument, ...replace)
    const mark = (backup: string) =>
      `CREATE SCHEMA pgrevive_restore_unfinished; COMMENT ON SCHEMA pgrevive_restore_unfinished IS 'safety backup ${backup}'`
    for (const backup of [id, safetyBackup.replace(/.{4}$/, '0000')]) {
      await query(mark(backup))
      const again = await host.document(replaceDocument, ...replace)
      assert.ok(again.safetyBackup > safetyBackup, again.safetyBackup)
    }
    await query(mark(safetyBackup))
    assert.match(await host.succeed(...replace, '--plan'), new RegExp(`before that what is in backup ${safetyBackup}`))
    const spared = await host.document(replaceDocument, ...replace)
    assert.equal(spared.safetyBackup, safetyBackup)
  })

  it('killed at any moment, leaves what was there or names the command that brings it back', async () => {
    // a large object has no place in one transaction, so that there is something in between
    await query("SELECT lo_from_bytea(7, 'x')")
    const { id } = await host.backUp('dbname=shop')
    await query("UPDATE orders SET v = 'changed'; CREATE TABLE more AS SELECT * FROM orders")
    const states = [await dump()]
    const usual = await host.document(replaceDocument, 'restore', id, '--replace', '--to', 'shop', '--confirm', 'shop')
    assert.equal(usual.atOnce, false)
    states.push(await dump())
    const argumentsFor = (backup: string) => ['restore', backup, '--replace', '--to', 'shop', '--confirm', 'shop']
    await using watcher = await server.connect('shop')
    const readMark = async () => {
      const [[mark] = []] = await watcher.query(
        "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = 'pgrevive_restore_unfinished'",
      )
      return mark?.replace('safety backup ', '')
    }
    for (let round = 0; round < rounds; round++) {
      const [then, backup] = round % 2 === 0 ? [states[1], usual.safetyBackup] : [states[0], id]
      assert.equal(await dump(), then)
      const { child, ended } = await host.start(...argumentsFor(backup))
      if (round < 2) await until(readMark)
      else await delay(usual.durationMs * Math.random() * 1.5)
      child.kill('SIGKILL')
      await ended
      const safety = await readMark()
      assert.ok(round >= 2 || safety !== undefined, 'it was over before it could be killed')
      if (safety !== undefined) {
        await host.succeed(...argumentsFor(safety))
        assert.equal(await dump(), then)
      }
      const now = await dump()
      assert.ok(states.includes(now), 'neither the old state nor the new one')
      if (now === then) await host.succeed(...argumentsFor(backup))
    }
  })
})
