import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import { withDatabase } from '../postgres/target/connection-target.ts'
import { choosePgDump } from '../postgres/pg-dump/pg-dump.ts'
import { loadSql, startTestServer, type TestServer } from '../postgres/server/test-server.ts'
import { createRepository } from '../repository/create-repository.ts'
import type { Repository } from '../repository/repository.ts'
import { DirectoryStore } from '../store/directory/directory-store.ts'
import { compareDatabase } from './compare-database.ts'
import { listBackups, readBackupTexts, readManifest } from '../repository/backups/open-backup.ts'
import { TestBench } from './test-bench.ts'
import { type Ended, KitShell, lacksKitTools } from './test-restore-kit.ts'

const goldenDatabase = fileURLToPath(new URL('../../golden/database.sql', import.meta.url))
const skip = await lacksKitTools()

function assertEnded({ exitCode, stdout, stderr }: Ended, expected = 0): void {
  assert.equal(exitCode, expected, `${stdout}\n${stderr}`)
}

describe('restore.py restores a repository alone', { timeout: 300_000, skip }, () => {
  let bench: TestBench
  /** Where nothing of the source is known. */
  let elsewhere: TestServer
  let shell: KitShell
  before(async () => {
    bench = await TestBench.start()
    elsewhere = await startTestServer()
    shell = await KitShell.open(bench.repository)
  })
  after(async () => {
    await shell[Symbol.asyncDispose]()
    await elsewhere[Symbol.asyncDispose]()
    await bench[Symbol.asyncDispose]()
  })

  async function differences(repository: Repository, id: string, target: ConnectionTarget) {
    const { backups } = await listBackups(repository)
    const backup = backups.find((one) => one.id === id)
    assert.ok(backup)
    const reader = await repository.openReader()
    const manifest = await readManifest(reader, backup)
    const texts = await readBackupTexts(reader, manifest)
    assert.ok(texts.schema)
    const pgDump = await choosePgDump(15, 'auto', { environment: process.env })
    const schema = { pgDump, ...texts.schema }
    const { largeObjects } = texts
    return (await compareDatabase(target, manifest, { jobs: 1, schema, tablespaces: true, owners: true, largeObjects }))
      .differences
  }
  const restore = (id: string, database: string) =>
    shell.run(
      `python3 restore.py globals . ${id} --identity $KEY | psql -Xq -v ON_ERROR_STOP=1 -d postgres &&
       python3 restore.py dump . ${id} --identity $KEY | psql -Xq -d ${database}`,
      elsewhere.target,
    )

  it('everything that is hard comes back equal, and nothing in it reaches psql', async () => {
    const source = await bench.database()
    await loadSql(source, goldenDatabase)
    const id = await bench.backUp(source)
    const ended = await restore(id, source.database)
    assertEnded(ended)
    assert.doesNotMatch(ended.stdout + ended.stderr, /injected/)
    const restored = withDatabase(elsewhere.target, source.database)
    assert.deepEqual(await differences(bench.repository, id, restored), [])
    const properties = `SELECT datname, pg_get_userbyid(datdba), datacl, shobj_description(d.oid, 'pg_database'),
      (SELECT array_agg(row(setrole::regrole, setconfig)::text ORDER BY setrole::regrole::text) FROM pg_db_role_setting WHERE setdatabase = d.oid)
      FROM pg_database d WHERE datname = current_database()`
    assert.deepEqual(await bench.query(restored, properties), await bench.query(source, properties))
    const roles = `SELECT rolname, rolconnlimit, shobj_description(r.oid, 'pg_authid'), array(SELECT setconfig FROM pg_db_role_setting WHERE setrole = r.oid AND setdatabase = 0)::text,
      array(SELECT roleid::regrole || admin_option::text FROM pg_auth_members WHERE member = r.oid ORDER BY 1) FROM pg_roles r WHERE rolname LIKE 'golden%' ORDER BY 1`
    assert.deepEqual(await bench.query(restored, roles), await bench.query(source, roles))

    assertEnded(await shell.run(`python3 restore.py dump . ${id} --identity $KEY --directory ${shell.path('files')}`))
    await elsewhere.connect().then(async (connection) => {
      await using _ = connection
      await connection.execute('CREATE DATABASE from_files TEMPLATE template0')
    })
    assertEnded(await shell.run(`psql -Xq -d from_files -f ${shell.path('files')}/restore.sql`, elsewhere.target))
    assert.deepEqual(await differences(bench.repository, id, withDatabase(elsewhere.target, 'from_files')), [])
  })

  for (const encoding of ['LATIN1', 'SQL_ASCII']) {
    it(`a ${encoding} database comes back, byte by byte`, async () => {
      const bytes = encoding === 'LATIN1' ? 'été' : '\u00e9'
      const source = await bench.database(
        `CREATE TABLE "sch\u00f6n\nx" ("gr\u00f6\u00dfe" text, id serial); INSERT INTO "sch\u00f6n\nx" VALUES ('${bytes}'), (E'\\n\\\\.');
         SELECT nextval('"sch\u00f6n\nx_id_seq"'); COMMENT ON TABLE "sch\u00f6n\nx" IS 'caf\u00e9';
         SELECT lo_from_bytea(77, '\\xdeadbeef'); COMMENT ON LARGE OBJECT 77 IS '\u00e9'`,
        { encoding },
      )
      const id = await bench.backUp(source)
      assertEnded(await restore(id, source.database))
      assert.deepEqual(await differences(bench.repository, id, withDatabase(elsewhere.target, source.database)), [])
    })
  }

  it('stops at what is damaged, and psql with it; or leaves it out, and says so', async () => {
    const source = await bench.database(
      `CREATE TABLE parents (id int PRIMARY KEY, v text); INSERT INTO parents SELECT i, md5(i::text) FROM generate_series(1, 5000) i;
       CREATE TABLE children (parent int REFERENCES parents); INSERT INTO children SELECT generate_series(1, 5000);
       CREATE TABLE small AS SELECT 1 AS i; SELECT lo_from_bytea(1000 + i, '\\xdeadbeef') FROM generate_series(1, 3) i`,
    )
    const earlier = await shell.run('ls packs/*/*')
    const id = await bench.backUp(source)
    const later = await shell.run('ls packs/*/*')
    const added = later.stdout.split('\n').filter((pack) => !earlier.stdout.includes(pack))
    assert.equal(added.length, 1)
    const path = join(bench.repository.store.location, added[0] ?? '')
    const sound = await readFile(path)
    await writeFile(path, sound.with(sound.length >> 1, (sound[sound.length >> 1] ?? 0) ^ 1))
    try {
      const checked = await shell.run(`python3 restore.py check . ${id} --identity $KEY`)
      assertEnded(checked, 8)
      assert.match(checked.stdout, /^"table public\.parents: packs\/.* is not what was written/m)

      const refused = await restore(id, source.database)
      assert.notEqual(refused.exitCode, 0)
      assert.match(refused.stderr, /restore\.py: table public\.parents: packs\/.*; --skip-damaged/)
      assert.match(refused.stderr, /ERROR: {2}this dump is not complete: table public\.parents/)

      await using connection = await elsewhere.connect()
      await connection.execute('CREATE DATABASE in_part TEMPLATE template0')
      const left = await shell.run(
        `python3 restore.py dump . ${id} --identity $KEY --skip-damaged | psql -Xq -d in_part`,
        elsewhere.target,
      )
      assertEnded(left, 10)
      const [, lost] = /lost: (\d+) of 5000 rows of table public\.parents/.exec(left.stderr) ?? []
      assert.match(left.stderr, /ERROR: .* violates foreign key constraint "children_parent_fkey"/)
      const restored = withDatabase(elsewhere.target, 'in_part')
      assert.deepEqual(
        await bench.query(
          restored,
          `SELECT count(*), (SELECT count(*) FROM children), (SELECT i FROM small), (SELECT count(*) FROM pg_largeobject_metadata),
             shobj_description((SELECT oid FROM pg_database WHERE datname = 'in_part'), 'pg_database')
           FROM parents WHERE v = md5(id::text)`,
        ),
        [
          [
            String(5000 - Number(lost)),
            '5000',
            '1',
            '3',
            `pgrevive: restored without ${lost} of 5000 rows of table public.parents`,
          ],
        ],
      )
    } finally {
      await writeFile(path, sound)
    }
  })

  it('lists and checks', async () => {
    const source = await bench.database('CREATE TABLE t AS SELECT generate_series(1, 1000) AS i')
    const id = await bench.backUp(source)
    await bench.expectProven(id)
    const listed = await shell.run('python3 restore.py list . --identity $KEY')
    assertEnded(listed)
    assert.match(
      listed.stdout,
      new RegExp(`^${id} \\S+ "${source.database}" 1 tables, 1000 rows, \\d+ bytes, proven$`, 'm'),
    )
    assertEnded(await shell.run('python3 restore.py check . latest --identity $KEY'))
  })

  it('needs neither config with a key file of pgrevive, nor that one with an age identity', async () => {
    const { location } = bench.repository.store
    const files = ['config', 'config.bak'].map((name) => join(location, name))
    const text = await readFile(files[0] ?? '')
    await writeFile(shell.path('age.txt'), `${bench.repository.key.identities[0]}\n`)
    assertEnded(await shell.run(`python3 restore.py list . --identity ${shell.path('age.txt')}`))
    for (const file of files) await rm(file)
    try {
      assertEnded(await shell.run('python3 restore.py check . latest --identity $KEY'))
      const ended = await shell.run(`python3 restore.py list . --identity ${shell.path('age.txt')}`)
      assertEnded(ended, 1)
      assert.match(ended.stderr, /config/)
    } finally {
      for (const file of files) await writeFile(file, text)
    }
  })

  it('is opened by the passphrase, which age asks for', async () => {
    const store = await DirectoryStore.create(shell.path('with-passphrase'))
    const { repository } = await createRepository(store, { passphrase: 'open sesame' })
    await using own = await KitShell.open(repository)
    // age reads it from the terminal: this is one
    const terminal = `import os, pty, sys
pid, fd = pty.fork()
if pid == 0: os.execvp('python3', ['python3', 'restore.py', 'list', '.', '--passphrase'])
told = b''
try:
    while chunk := os.read(fd, 1000):
        told += chunk
        if chunk.strip().endswith(b':'): os.write(fd, sys.argv[1].encode() + b'\\n')
except OSError: pass
sys.stdout.buffer.write(told)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`
    await writeFile(own.path('terminal.py'), terminal)
    assertEnded(await own.run(`python3 ${own.path('terminal.py')} 'open sesame'`))
    assertEnded(await own.run(`python3 ${own.path('terminal.py')} 'close sesame'`), 1)
  })
})
