import assert from 'node:assert/strict'
import { statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { AppError, type ErrorCode } from '../../core/app-error.ts'
import { startScratchServer } from '../../postgres/server/scratch-server.ts'
import { chooseServerBinaries } from '../../postgres/server/server-binaries.ts'
import { type TestServer, startTestServer } from '../../postgres/server/test-server.ts'
import { type ConnectionTarget, withDatabase } from '../../postgres/target/connection-target.ts'
import { listBackups } from '../../repository/backups/open-backup.ts'
import { type RestoreChoices, restoreEverything } from '../../repository/backups/restore-plan.ts'
import { TestBench } from '../test-bench.ts'
import { needsRoot, smallDisk } from '../test-small-disk.ts'
import { failureOf } from './preflight-finding.ts'
import { type PreviewOptions, previewRestore } from './preview-restore.ts'

const environment = process.env

describe('before a restore touches anything, it looks at all that it needs', { timeout: 300_000 }, () => {
  let bench: TestBench
  /** PostgreSQL 18, which no longer has the extension old_snapshot. */
  let bare: TestServer
  /** Owned by `shop_app`, readable for `shop_reader`, with old_snapshot. */
  let shop: string
  before(async () => {
    bench = await TestBench.start({ settings: { max_prepared_transactions: '2', wal_level: 'logical' } })
    bare = await startTestServer({ major: 18, settings: { max_connections: '12' } })
    await bench.query(
      bench.server.target,
      `CREATE ROLE shop_app LOGIN; CREATE ROLE shop_reader; CREATE ROLE poor LOGIN PASSWORD 'p'`,
    )
    shop = await bench.backUp(
      await bench.database(
        `CREATE TABLE orders (id int PRIMARY KEY, note text); INSERT INTO orders SELECT i, 'n' || i FROM generate_series(1, 9) i;
         ALTER TABLE orders OWNER TO shop_app; GRANT SELECT ON orders TO shop_reader; CREATE EXTENSION old_snapshot`,
      ),
    )
  })
  after(async () => {
    await bare[Symbol.asyncDispose]()
    await bench[Symbol.asyncDispose]()
  })

  /** All that a restore could leave on a server. */
  const stateOf = (target: ConnectionTarget) =>
    bench.query(target, 'SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1')

  async function preview(target: ConnectionTarget, options: Partial<PreviewOptions> & { id?: string } = {}) {
    const { backups } = await listBackups(bench.repository)
    const backup = backups.find(({ id }) => id === (options.id ?? shop))
    assert.ok(backup)
    const usual = { way: 'new', choices: restoreEverything, createRoles: false, jobs: 2 } as const
    return previewRestore(bench.repository, backup, target, { ...usual, ...options })
  }

  async function expectRefused(
    restoring: Promise<unknown>,
    code: ErrorCode,
    { message, hint }: { readonly message: RegExp; readonly hint: RegExp },
  ): Promise<void> {
    const error = await restoring.catch((caught: unknown) => caught)
    assert.ok(error instanceof AppError, String(error))
    assert.equal(error.code, code)
    assert.match(error.message, message)
    assert.match(error.hint ?? '', hint)
  }

  it('refuses a server that lacks roles and an extension, with both remedies, and leaves nothing', async () => {
    const before = await stateOf(bare.target)
    await expectRefused(bench.restore(shop, 'shop', {}, { target: bare.target }), 'role-missing', {
      message:
        /^2 things .*\n- the server has no role "shop_app", "shop_reader"\n- .* does not offer the extension "old_snapshot"$/,
      hint: /--create-roles.*--role-map.*--no-owner[^]*\n- install its package/,
    })
    await expectRefused(
      bench.restore(shop, 'shop', {}, { target: bare.target, createRoles: true }),
      'extension-missing',
      {
        message: /^the server does not offer the extension "old_snapshot"$/,
        hint: /install its package/,
      },
    )
    assert.deepEqual(await stateOf(bare.target), before)
  })

  for (const [remedy, choices, createRoles] of [
    ['--no-owner --no-privileges', { noOwner: true, noPrivileges: true }, false],
    ['--create-roles', {}, true],
  ] as const) {
    it(`restores with ${remedy} what was refused for its roles`, async () => {
      const without = { ...choices, tables: ['orders'] } satisfies Partial<RestoreChoices>
      const lacking = { target: bare.target, createRoles: false }
      await expectRefused(bench.restore(shop, 'orders', { tables: ['orders'] }, lacking), 'role-missing', {
        message: /shop_app/,
        hint: /--create-roles/,
      })
      const restored = await bench.restore(shop, 'orders', without, { target: bare.target, createRoles })
      assert.deepEqual(await bench.query(restored, 'SELECT count(*) FROM orders'), [['9']])
      await bench.query(bare.target, 'DROP DATABASE orders')
      if (createRoles) await bench.query(bare.target, 'DROP ROLE shop_app, shop_reader')
    })
  }

  it('refuses a role that may not create databases, or give objects away, and says what may help', async () => {
    const poor = { ...bench.server.target, user: 'poor', password: () => 'p' }
    await expectRefused(bench.restore(shop, 'shop', {}, { target: poor }), 'permission-denied', {
      message: /poor has no right to create databases\n- poor can not give objects to /,
      hint: /CREATEDB[^]*--replace[^]*--no-owner --no-privileges/,
    })
  })

  it('refuses more jobs than the server has room for sessions, and says how many have', async () => {
    const restoring = bench.restore(
      shop,
      'orders',
      { tables: ['orders'] },
      { target: bare.target, createRoles: true, jobs: 16 },
    )
    await expectRefused(restoring, 'connection-failed', { message: /the restore opens 16/, hint: /add --jobs \d+/ })
  })

  it('tells what uses a database that is there, and refuses what would stand in the way', async () => {
    const live = await bench.database('CREATE TABLE t (i int); CREATE PUBLICATION p FOR TABLE t')
    await bench.query(live, "SELECT pg_create_logical_replication_slot('reader_of_changes', 'pgoutput')")
    await using prepared = await bench.server.connect(live.database)
    await prepared.execute("BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION 'left behind'")
    await bench.query(
      live,
      "CREATE SUBSCRIPTION s CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false, slot_name = 'theirs')",
    )
    const replacing = await preview(live, { way: 'replace' })
    const answers = new Map(replacing.findings.map(({ check, verdict, meaning }) => [check, `${verdict}: ${meaning}`]))
    assert.match(answers.get('sessions') ?? '', /^note: connected to it: pgrevive/)
    assert.match(answers.get('replication slots') ?? '', /^note: reader_of_changes go on/)
    assert.match(answers.get('publications') ?? '', /^note: p give way/)
    assert.match(answers.get('prepared transactions') ?? '', /^bad: .*left behind/)
    assert.match(answers.get('subscriptions') ?? '', /^bad: /)
    const [, end = ''] = /(COMMIT PREPARED '.*?')/.exec(failureOf(replacing.findings)?.hint ?? '') ?? []
    const [unsubscribe = ''] =
      /ALTER SUBSCRIPTION .*? DROP SUBSCRIPTION "s"/.exec(failureOf(replacing.findings)?.hint ?? '') ?? []
    await bench.query(live, end)
    for (const statement of unsubscribe.split('; ')) await bench.query(live, statement)
    assert.equal(failureOf((await preview(live, { way: 'replace' })).findings), undefined)
    const beside = await preview(live, { way: 'in-place' })
    assert.match(JSON.stringify(beside.findings), /reader_of_changes stay with the old database/)
    assert.equal(beside.findings.find(({ check }) => check === 'sessions')?.answer, '1', 'the one of this test')
    await bench.query(live, "SELECT pg_drop_replication_slot('reader_of_changes')")
  })

  it('names what an older server lacks, and that a locale needs a newer one', async () => {
    const modern = await bare.createDatabase()
    await bench.query(
      bare.target,
      "CREATE DATABASE builtin TEMPLATE template0 LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'",
    )
    const [older, builtin] = [await bench.backUp(modern), await bench.backUp(withDatabase(bare.target, 'builtin'))]
    const target = withDatabase(bench.server.target, 'from_a_later_one')
    assert.match(JSON.stringify((await preview(target, { id: older })).findings), /older than the 18/)
    await expectRefused(bench.restore(builtin, 'builtin'), 'restore-failed', {
      message: /provider builtin, which PostgreSQL has since 17/,
      hint: /17 or later/,
    })
  })

  it('refuses a disk that is too small for the rows, before it creates anything', { skip: needsRoot }, async () => {
    const big = await bench.backUp(
      await bench.database(
        `CREATE TABLE t AS SELECT i, repeat(md5(i::text), 18) AS v FROM generate_series(1, 20000) i; CREATE INDEX ON t (i)`,
      ),
    )
    await using disk = await smallDisk(120)
    const binaries = await chooseServerBinaries(15, { environment })
    await using server = await startScratchServer({ binaries, parentDirectory: disk.path, environment })
    const { bavail, bsize } = await statfs(disk.path)
    await writeFile(join(disk.path, 'filler'), Buffer.alloc(bavail * bsize - 3_000_000))
    const before = await stateOf(server.target)
    await expectRefused(bench.restore(big, 'big', {}, { target: server.target }), 'server-full', {
      message: /has \d MB free, and the restore needs at least \d+ MB, likely \d+ MB/,
      hint: /free space on the disk of the server/,
    })
    assert.deepEqual(await stateOf(server.target), before)
    await disk.resize(220)
    const restored = await bench.restore(big, 'big', {}, { target: server.target })
    assert.deepEqual(await bench.query(restored, 'SELECT count(*) FROM t'), [['20000']])
  })
})
