import assert from 'node:assert/strict'
import { readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { z } from 'zod'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { proofSchema } from '../../repository/backups/backup-record.ts'
import { manifestSchema } from '../../repository/backups/manifest.ts'
import {
  TestHost,
  assertFailed,
  backupDocument,
  initDocument,
  listDocument,
  proveDocument,
  restoreDocument,
} from './test-host.ts'

const shop = `
  CREATE ROLE shop_owner; CREATE ROLE clerk;
  CREATE TABLE customers (id serial PRIMARY KEY, name text NOT NULL);
  CREATE TABLE orders (id serial PRIMARY KEY, customer int NOT NULL REFERENCES customers, total numeric(10, 2));
  CREATE INDEX orders_customer ON orders (customer);
  CREATE SCHEMA audit; CREATE TABLE audit.events (at timestamptz, what text);
  INSERT INTO customers (name) SELECT 'customer ' || i FROM generate_series(1, 100) i;
  INSERT INTO orders (customer, total) SELECT 1 + i % 100, i / 7.0 FROM generate_series(1, 1000) i;
  INSERT INTO audit.events SELECT '2026-01-01'::timestamptz + i * '1 hour'::interval, md5(i::text) FROM generate_series(1, 500) i;
  ALTER TABLE customers OWNER TO shop_owner; GRANT SELECT ON customers TO clerk`
/** Of all rows and of what the next ones will be numbered. */
const shopContents = `
  SELECT (SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM customers t),
         (SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM orders t),
         (SELECT md5(string_agg(t::text, ',' ORDER BY at)) FROM audit.events t),
         (SELECT last_value FROM customers_id_seq), (SELECT last_value FROM orders_id_seq)`
const ownerOfCustomers = "SELECT tableowner FROM pg_tables WHERE tablename = 'customers'"
const clerkMayRead = "SELECT has_table_privilege('clerk', 'customers', 'SELECT')"

describe('the commands, from an empty directory to a proven backup', { timeout: 600_000 }, () => {
  let server: TestServer
  before(async () => {
    server = await startTestServer()
    await loadInto('shop', shop)
    await loadInto('library', "CREATE TABLE books AS SELECT i, 'book ' || i AS title FROM generate_series(1, 50) i")
  })
  after(() => server[Symbol.asyncDispose]())

  async function loadInto(database: string, sql: string): Promise<void> {
    await loadSql(server.target, `CREATE DATABASE ${database} TEMPLATE template0`)
    await loadSql(withDatabase(server.target, database), sql)
  }
  async function query(database: string, sql: string) {
    await using connection = await server.connect(database)
    return await connection.query(sql)
  }
  const databases = async () => (await query('postgres', 'SELECT datname FROM pg_database')).map(([name]) => name)
  const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)

  describe('backup, list and show', () => {
    it('back up one database, several, or a whole server, and tell people and machines the same', async () => {
      await using host = await TestHost.create(server)
      await host.succeed('init')
      assert.deepEqual(await host.list(), [])
      const one = await host.backUp('postgres:///shop', '--comment', 'before the sale')
      assert.deepEqual(
        [one.database, one.comment, one.totals.tables, one.totals.rows],
        ['shop', 'before the sale', 3, 1600],
      )
      const two = await host.document(backupDocument, 'backup', 'postgres:///shop', 'dbname=library')
      assert.deepEqual(
        two.backups.map(({ database }) => database),
        ['shop', 'library'],
      )
      const all = await host.document(backupDocument, 'backup', '--all')
      const names = all.backups.map(({ database }) => database)
      assert.deepEqual(
        ['library', 'postgres', 'shop'].filter((name) => !names.includes(name)),
        [],
      )

      const listed = await host.list()
      const made = [one, ...two.backups, ...all.backups].toReversed()
      assert.deepEqual(
        listed,
        made.map((backup) => ({ ...backup, proof: null, pin: null, checked: null })),
      )
      const newest = await host.document(listDocument, 'list', '--database', 'library', '--limit', '1')
      assert.deepEqual(
        newest.backups.map(({ id }) => id),
        [listed.find(({ database }) => database === 'library')?.id],
      )
      assert.match(await host.succeed('list'), new RegExp(`${one.id} .* shop +3 +1,600 .*unproven`))

      const shown = await host.document(
        z.looseObject({ id: z.string(), manifest: manifestSchema, proof: proofSchema.nullable() }),
        'show',
        one.id.toLowerCase(),
        '--tables',
      )
      assert.deepEqual(shown.manifest.tables.map(({ schema, name, rows }) => `${schema}.${name} ${rows}`).toSorted(), [
        'audit.events 500',
        'public.customers 100',
        'public.orders 1000',
      ])
      assert.deepEqual([shown.id, shown.proof], [one.id, null])
    })

    it('say what was left out, and take databases and patterns from pgrevive.yaml', async () => {
      await using host = await TestHost.create(server)
      await host.succeed('init')
      await writeFile(
        host.path('pgrevive.yaml'),
        `databases:
  sales:
    url: postgres:///shop
    exclude_table_data: ['audit.*']
  books:
    url: postgres:///library
`,
      )
      const { backups } = await host.document(backupDocument, 'backup')
      assert.deepEqual(
        backups.map(({ database, totals }) => [database, totals.rows]),
        [
          ['sales', 1100],
          ['books', 50],
        ],
      )
      const definitions = await host.backUp('sales', '--schema-only')
      assert.equal(definitions.totals.rows, 0)
      assert.match(await host.succeed('list'), /left out[^]*all rows[^]*rows of audit\.\*/)
      await host.succeed('restore', backups[0]?.id ?? '', '--to', 'from_yaml')
      assert.deepEqual(await query('from_yaml', 'SELECT count(*) FROM audit.events'), [['0']])
    })

    it('back up what they can of several databases, and fail for the rest', async () => {
      await using host = await TestHost.create(server)
      await host.succeed('init')
      const ended = await host.run('backup', 'postgres:///nowhere', 'postgres:///library', '--json')
      const { backups, failed } = backupDocument.parse(JSON.parse(ended.stdout))
      assert.deepEqual(
        backups.map(({ database }) => database),
        ['library'],
      )
      assert.deepEqual(
        failed.map(({ database, error }) => [database, error.code]),
        [['nowhere', 'database-missing']],
      )
      assert.equal(ended.exitCode, 3)
      await host.assertClean({ backups: 1 })
    })
  })

  describe('init', () => {
    it('leaves a key and a recovery kit that only their owner can read, and each opens the repository', async () => {
      await using host = await TestHost.create(server)
      const made = await host.document(initDocument, 'init', '--kit', 'kit.txt')
      assert.deepEqual([made.kitFile, made.canRead], [host.path('kit.txt'), true])
      assert.deepEqual([await modeOf(made.keyFile), await modeOf(made.kitFile)], ['600', '600'])
      assert.equal(await modeOf(host.path('home', 'config', 'pgrevive')), '700')
      await host.backUp('postgres:///library')

      const elsewhere = host.with({ XDG_CONFIG_HOME: host.path('other-home') })
      assertFailed(await elsewhere.run('list', '--json'), 'key-missing')
      await elsewhere.succeed('restore', 'latest', '--to', 'by_kit', '--key-file', 'kit.txt')
      assert.deepEqual(await query('by_kit', 'SELECT count(*) FROM books'), [['50']])
    })

    it('never writes over a kit, a key or a repository, and then leaves nothing behind', async () => {
      await using host = await TestHost.create(server)
      await writeFile(host.path('taken.txt'), 'precious')
      assertFailed(await host.run('init', '--kit', 'taken.txt', '--json'), 'key-invalid', { message: /taken\.txt/ })
      assert.equal(await readFile(host.path('taken.txt'), 'utf8'), 'precious')
      assert.deepEqual(await host.objects(), [])

      await host.succeed('init', '--kit', 'kit.txt')
      const [kit, objects] = [await readFile(host.path('kit.txt'), 'utf8'), await host.objects()]
      assertFailed(await host.run('init', '--kit', 'second.txt'), 'repository-exists')
      assert.deepEqual(await host.objects(), objects)
      assert.equal(await readFile(host.path('kit.txt'), 'utf8'), kit)
      assert.ok(!(await readdir(host.directory)).includes('second.txt'))
      assert.equal((await readdir(host.path('home', 'config', 'pgrevive'))).length, 1)
    })

    it('leaves no repository behind whose key could not be written', async () => {
      await using host = await TestHost.create(server)
      await writeFile(host.path('taken.key'), 'precious')
      assertFailed(await host.run('init', '--key-file', 'taken.key', '--json'), 'key-invalid', {
        message: /taken\.key/,
      })
      assert.equal(await readFile(host.path('taken.key'), 'utf8'), 'precious')
      assert.deepEqual(
        [await host.objects(), (await readdir(host.directory)).includes('pgrevive-recovery-kit.txt')],
        [[], false],
      )
    })

    it('locks with a passphrase, without which this host writes and does not read', async () => {
      await using host = await TestHost.create(server)
      const knowing = host.with({ PGREVIVE_PASSPHRASE: 'correct horse' })
      assertFailed(await host.run('init', '--passphrase', '--json'), 'usage-invalid')
      await knowing.succeed('init', '--passphrase')
      await host.backUp('postgres:///library')
      assertFailed(await host.run('restore', 'latest', '--to', 'by_nobody', '--json'), 'key-cannot-read')
      const mistaken = host.with({ PGREVIVE_PASSPHRASE: 'correct house' })
      const refused = await mistaken.run('list', '--json')
      assert.doesNotMatch(refused.stdout + refused.stderr, /horse|house/)
      assertFailed(refused, 'key-wrong')
      await knowing.succeed('restore', 'latest', '--to', 'by_passphrase')
      assert.deepEqual(await query('by_passphrase', 'SELECT count(*) FROM books'), [['50']])
      assert.ok(!(await databases()).includes('by_nobody'))
    })

    it('locks for a recipient: the host writes and lists, and only the identity reads', async () => {
      await using host = await TestHost.create(server)
      const identity = await generateX25519Identity()
      const made = await host.document(initDocument, 'init', '--recipient', await identityToRecipient(identity))
      assert.equal(made.canRead, false)
      const { id } = await host.backUp('postgres:///library')
      assert.deepEqual(
        (await host.list()).map((backup) => backup.id),
        [id],
      )
      assert.match(await host.succeed('show', id, '--tables'), /public\.books/)
      assertFailed(await host.run('restore', id, '--to', 'by_writer', '--json'), 'key-cannot-read')
      assertFailed(await host.run('check', '--level', 'content'), 'key-cannot-read')
      await host.succeed('check', '--level', 'bits')

      await writeFile(host.path('identity.txt'), `${identity}\n`)
      await host.succeed('restore', id, '--to', 'by_identity', '--key-file', 'identity.txt')
      assert.deepEqual(await query('by_identity', 'SELECT count(*) FROM books'), [['50']])
    })
  })

  describe('restore', () => {
    let host: TestHost
    before(async () => {
      host = await TestHost.create(server)
      await host.succeed('init')
      await host.backUp('postgres:///shop')
    })
    after(() => host[Symbol.asyncDispose]())

    const restore = (to: string, ...args: string[]) =>
      host.document(restoreDocument, 'restore', 'latest', '--to', to, ...args)

    it('brings everything back, under a name or a URL', async () => {
      const original = await query('shop', shopContents)
      for (const to of ['by_name', 'postgres:///by_url']) {
        const { database, tables, rows } = await restore(to)
        assert.deepEqual([tables, rows], [3, 1600])
        assert.deepEqual(await query(database, shopContents), original)
        assert.deepEqual(await query(database, ownerOfCustomers), [['shop_owner']])
        assert.deepEqual(await query(database, clerkMayRead), [['t']])
      }
    })

    it('brings one table back, with its indexes and its sequence', async () => {
      await restore('one_table', '--table', 'public.customers')
      assert.deepEqual(
        await query('one_table', 'SELECT tablename FROM pg_tables WHERE schemaname !~ $$^(pg_|info)$$'),
        [['customers']],
      )
      assert.deepEqual(await query('one_table', "SELECT nextval('customers_id_seq')"), [['101']])
      assertFailed(await host.run('restore', 'latest', '--to', 'no_table', '--table', 'nothing.*'), 'selection-empty')
      assert.ok(!(await databases()).includes('no_table'))
    })

    it('brings definitions back first and rows later', async () => {
      await restore('in_two_steps', '--schema-only')
      assert.deepEqual(await query('in_two_steps', 'SELECT count(*) FROM orders'), [['0']])
      await restore('in_two_steps', '--data-only')
      assert.deepEqual(await query('in_two_steps', shopContents), await query('shop', shopContents))
    })

    it('gives everything to the one who restores, or to another role', async () => {
      await restore('mine', '--no-owner', '--no-privileges')
      assert.deepEqual(await query('mine', ownerOfCustomers), [['postgres']])
      assert.deepEqual(await query('mine', clerkMayRead), [['f']])
      await loadSql(server.target, 'CREATE ROLE buyer')
      await restore('theirs', '--role-map', 'shop_owner=buyer')
      assert.deepEqual(await query('theirs', ownerOfCustomers), [['buyer']])
      assert.deepEqual(await query('theirs', clerkMayRead), [['t']])
    })

    it('creates roles that the server lacks only when it is told to', async () => {
      await loadSql(server.target, 'CREATE ROLE team; CREATE ROLE guest IN ROLE team')
      await loadInto('guests', 'CREATE TABLE visits AS SELECT 1 AS i; ALTER TABLE visits OWNER TO guest')
      const { id } = await host.backUp('postgres:///guests')
      await loadSql(server.target, 'DROP DATABASE guests')
      await loadSql(server.target, 'DROP ROLE guest')
      assertFailed(await host.run('restore', id, '--to', 'guests'), 'role-missing', { hint: /--create-roles/ })
      assert.ok(!(await databases()).includes('guests'))
      await host.succeed('restore', id, '--to', 'guests', '--create-roles')
      assert.deepEqual(
        await query(
          'guests',
          "SELECT tableowner, pg_has_role('guest', 'team', 'MEMBER') FROM pg_tables WHERE tablename = 'visits'",
        ),
        [['guest', 't']],
      )
    })

    it('refuses a database that holds anything, and does not touch it', async () => {
      const original = await query('library', 'SELECT count(*), sum(i) FROM books')
      assertFailed(await host.run('restore', 'latest:shop', '--to', 'library', '--json'), 'target-not-empty')
      assert.deepEqual(await query('library', 'SELECT count(*), sum(i) FROM books'), original)
      assert.deepEqual(await query('library', "SELECT nspname FROM pg_namespace WHERE nspname ~ 'pgrevive|audit'"), [])
    })
  })

  describe('prove', () => {
    it('believes what comes back equal and holds every assertion, and refutes what does not', async () => {
      await using host = await TestHost.create(server)
      await host.succeed('init')
      const assertThat = (name: string, sql: string) =>
        writeFile(
          host.path('pgrevive.yaml'),
          `databases:\n  shop:\n    url: postgres:///shop\n    assertions:\n      - name: ${name}\n        sql: ${sql}\n`,
        )
      await assertThat('orders are many', 'SELECT count(*) > 900 FROM orders')
      const { id } = await host.backUp('shop')
      const { proof } = await host.document(proveDocument, 'prove')
      assert.deepEqual([proof.backup, proof.outcome, proof.differences], [id, 'proven', []])
      assert.deepEqual([proof.compared.rows, proof.compared.schema, proof.compared.assertions], [1600, true, 1])
      assert.match(await host.succeed('list'), /proven/)

      await assertThat('orders are few', 'SELECT count(*) < 900 FROM orders')
      const refuted = await host.run('prove', id, '--on', 'postgres:///postgres', '--json')
      assertFailed(refuted, 'proof-refuted', { message: /orders are few/ })
      assert.deepEqual(
        proveDocument.parse(JSON.parse(refuted.stdout)).proof.differences.map(({ object }) => object),
        ['assertion orders are few'],
      )
      assert.deepEqual(
        (await host.list()).map((backup) => backup.proof?.outcome),
        ['refuted'],
      )
      assert.match(await host.succeed('show', id), /refuted: assertion orders are few/)
      assert.deepEqual(
        (await databases()).filter((name) => name?.startsWith('pgrevive')),
        [],
      )
      await host.assertClean({ backups: 1 })
    })
  })
})
