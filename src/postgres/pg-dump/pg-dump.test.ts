import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { runPgDumpModule } from './bundled-pg-dump-module.ts'
import { bundledPgDumpVersion } from './bundled-pg-dump.ts'
import { Connection } from '../wire/connection.ts'
import { withDatabase, type ConnectionTarget } from '../target/connection-target.ts'
import { findInstalledPgDumps } from './installed-pg-dump.ts'
import { choosePgDump, dumpSchema, type PgDump, type SchemaDumpOptions } from './pg-dump.ts'
import { quoteIdentifier } from '../sql/quote.ts'
import { splitSchemaText, statementsOf } from './schema-text.ts'
import { loadSql, startTestServer, type TestServer } from '../server/test-server.ts'

const fixtures = fileURLToPath(new URL('../../../../shared/fixtures', import.meta.url))
const environment = process.env
const installed = await findInstalledPgDumps({ environment })
const bundled = await choosePgDump(15, 'bundled', { environment })
const local = installed.find(({ major }) => major >= 15)
const withoutInstalled = local ? false : 'NO INSTALLED pg_dump 15 OR LATER: that half of the tests is missing'
const withoutFixtures =
  existsSync(fixtures) && local ? withoutInstalled : `NO FIXTURES IN ${fixtures}, OR NO pg_restore`

let server: TestServer
before(async () => (server = await startTestServer()))
after(async () => server[Symbol.asyncDispose]())

describe('choosing a pg_dump', () => {
  it(
    "prefers the server's own version, then the lowest above it, then the bundled one",
    { skip: withoutInstalled },
    async () => {
      const [lowest] = installed
      const newest = installed.at(-1)
      assert.ok(lowest?.path && newest)
      assert.deepEqual(await choosePgDump(lowest.major, 'auto', { environment }), lowest)
      assert.deepEqual(await choosePgDump(lowest.major - 1, 'auto', { environment }), lowest)
      if (newest.major < 18)
        assert.equal((await choosePgDump(newest.major + 1, 'auto', { environment })).kind, 'bundled')
      assert.equal((await choosePgDump(lowest.major, 'bundled', { environment })).kind, 'bundled')
      assert.deepEqual(await choosePgDump(13, { path: lowest.path }, { environment }), lowest)
    },
  )

  it('refuses one that is older than the server, or is none', async () => {
    const refused = { code: 'pg-dump-missing' }
    await assert.rejects(choosePgDump(99, 'auto', { environment }), refused)
    await assert.rejects(choosePgDump(19, 'bundled', { environment }), refused)
    await assert.rejects(choosePgDump(15, { path: process.execPath }, { environment }), refused)
    await assert.rejects(choosePgDump(15, { path: '/nowhere' }, { environment }), refused)
    if (local) await assert.rejects(choosePgDump(99, { path: local.path }, { environment }), refused)
  })

  it('knows the version of the bundled one', () => {
    const socket = { send: () => undefined, receive: () => 0, ready: true }
    const { stdout, stderr, exitCode } = runPgDumpModule(['--version'], {}, socket)
    assert.equal(Buffer.from(stdout).toString(), `pg_dump (PostgreSQL) ${bundledPgDumpVersion}\n`)
    assert.deepEqual([stderr, exitCode], ['', 0])
  })
})

for (const [kind, pgDump] of [['installed', local] as const, ['bundled', bundled] as const]) {
  describe(`the ${kind} pg_dump`, { skip: pgDump ? false : withoutInstalled }, () => {
    assert.ok(pgDump ?? withoutInstalled)
    if (pgDump) describeDumps(pgDump)
  })
}

function describeDumps(pgDump: PgDump): void {
  for (const file of ['regression.dump', 'pagila.sql', 'tricky.sql']) {
    it(`prints ${file} in entries that make the same database`, { skip: withoutFixtures }, async () => {
      await assertSameAfterRestore(pgDump, await loadOnce(`${fixtures}/${file}`))
    })
  }

  it('prints hostile names, bodies and roles in entries that make the same database', async () => {
    const entries = await assertSameAfterRestore(pgDump, await loadOnce(hostileSql))
    const tables = entries
      .filter(({ type }) => type === 'TABLE')
      .map(({ name, schema, owner }) => [name, schema, owner])
    assert.deepEqual(
      tables.toSorted((a, b) => (String(a) < String(b) ? -1 : 1)),
      [
        ['a b', 'x; Type: VIEW; Schema: y', 'pg_signal_backend'],
        ['c; Type: VIEW; Schema: public; Owner: joe', 'public', 'postgres'],
      ],
    )
  })

  it('connects to a database whose name is a connection string', async () => {
    const name = `x' host=evil" dbname=postgres\\`
    await using connection = await server.connect()
    await connection.execute(`CREATE DATABASE ${quoteIdentifier(name)}`)
    const target = withDatabase(server.target, name)
    await loadSql(target, 'CREATE TABLE only_here ()')
    assert.match(await textOf(pgDump, target), /CREATE TABLE public.only_here/)
    await connection.execute(`DROP DATABASE ${quoteIdentifier(name)} WITH (FORCE)`)
  })

  it('drops its own \\restrict lines and no others', async () => {
    const target = await server.createDatabase()
    const body = '\n\\restrict a\n\\unrestrict a\n\\restrict pgrevive\n\\unrestrict pgrevive\n'
    await loadSql(target, `CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$SELECT '${body}'$$`)
    const text = await textOf(pgDump, target)
    assert.ok(text.includes(body))
    assert.doesNotMatch(text.replace(body, ''), /^\\/m)
  })

  it('stays inside a transaction that is open, again and again', async () => {
    const target = await server.createDatabase()
    await using connection = await Connection.connect(target)
    await connection.execute('CREATE TABLE seen ()')
    await connection.execute('BEGIN ISOLATION LEVEL REPEATABLE READ')
    await connection.execute('SELECT')
    await loadSql(target, 'CREATE TABLE unseen ()')
    for (let time = 1; time <= 2; time++) {
      const text = (await dumpSchema(pgDump, connection, { section: 'pre-data' })).toString()
      assert.match(text, /CREATE TABLE public.seen/)
      assert.doesNotMatch(text, /unseen/)
    }
    assert.equal(connection.transaction, 'open')
    await connection.execute('COMMIT')
    assert.match((await dumpSchema(pgDump, connection, { section: 'pre-data' })).toString(), /unseen/)
  })

  it('does not wait for a table that the connection has locked while others want it for themselves', async () => {
    const target = await server.createDatabase()
    await using connection = await Connection.connect(target)
    await using waiting = await Connection.connect(target)
    await connection.execute('CREATE TABLE wanted ()')
    await connection.execute('BEGIN; LOCK TABLE wanted IN ACCESS SHARE MODE')
    const waits = waiting.execute('ALTER TABLE wanted ADD COLUMN later int')
    await using watcher = await server.connect()
    await untilWaiting(watcher, target)
    const text = (await dumpSchema(pgDump, connection, { section: 'pre-data' })).toString()
    assert.match(text, /CREATE TABLE public.wanted/)
    assert.doesNotMatch(text, /later/)
    await connection.execute('COMMIT')
    await waits
  })

  it('keeps the bytes of a database without an encoding, and converts those of one with', async () => {
    const ascii = await server.createDatabase({ encoding: 'SQL_ASCII' })
    await using connection = await Connection.connect(ascii, { parameters: { client_encoding: 'SQL_ASCII' } })
    connection.encoding = 'latin1'
    await connection.execute(`CREATE TABLE "\xff\xe9" (); COMMENT ON TABLE "\xff\xe9" IS '\x80\xc3'`)
    const bytes = await dump(pgDump, ascii, { section: 'pre-data' })
    assert.ok(bytes.includes(Buffer.from(`COMMENT ON TABLE public."\xff\xe9" IS '\x80\xc3';`, 'latin1')))
    assert.ok(splitSchemaText(bytes.toString('latin1')).some(({ name }) => name === '\xff\xe9'))

    const latin = await server.createDatabase({ encoding: 'LATIN1' })
    await loadSql(latin, 'CREATE TABLE "é" ()')
    const own = await dump(pgDump, latin, { section: 'pre-data' })
    assert.ok(own.includes(Buffer.from('CREATE TABLE public."\xe9"', 'latin1')))
    const utf8 = await dump(pgDump, latin, { section: 'pre-data', encoding: 'UTF8' })
    assert.ok(utf8.includes('CREATE TABLE public."é"'))
  })

  it('reads replies of many megabytes', async () => {
    const target = await server.createDatabase()
    await loadSql(
      target,
      `DO $$BEGIN CREATE TABLE t (); EXECUTE format('COMMENT ON TABLE t IS %L', repeat('é', 10000000)); END$$`,
    )
    assert.ok((await textOf(pgDump, target)).includes(`'${'é'.repeat(10_000_000)}'`))
  })

  it('selects tables and schemas, and says when there are none', async () => {
    const target = await server.createDatabase()
    await loadSql(target, 'CREATE TABLE a (); CREATE TABLE b ()')
    const text = (await dump(pgDump, target, { section: 'pre-data', arguments: ['--table=public.a'] })).toString()
    assert.deepEqual([text.includes('public.a'), text.includes('public.b')], [true, false])
    await assert.rejects(dump(pgDump, target, { section: 'pre-data', arguments: ['--table=none'] }), {
      code: 'selection-empty',
      message: 'no matching tables were found',
    })
  })

  it('names what the role may not read', async () => {
    const target = await server.createDatabase()
    const [host] = target.hosts
    await loadSql(target, `CREATE ROLE weak LOGIN PASSWORD '${host && target.password(host)}'; CREATE TABLE hidden ()`)
    await assert.rejects(dump(pgDump, { ...target, user: 'weak' }, { section: 'pre-data' }), {
      code: 'permission-denied',
      message: 'pg_dump: permission denied for table hidden',
    })
    await loadSql(target, 'DROP ROLE weak')
  })

  it('fails when the server ends its session', async () => {
    const target = await server.createDatabase()
    await using blocker = await block(target)
    const dumped = dump(pgDump, target, { section: 'pre-data' })
    await Promise.all([
      assert.rejects(dumped, { code: 'connection-lost' }),
      untilWaiting(blocker, target).then((pid) => blocker.execute(`SELECT pg_terminate_backend(${pid})`)),
    ])
  })

  it('stops, and leaves no session behind, when it is aborted', async () => {
    const target = await server.createDatabase()
    await using blocker = await block(target)
    const abort = new AbortController()
    const reason = new Error('enough')
    const dumped = dump(pgDump, target, { section: 'pre-data', signal: abort.signal })
    await Promise.all([assert.rejects(dumped, reason), untilWaiting(blocker, target).then(() => abort.abort(reason))])
    for (let waited = 0; await waitingPid(blocker, target); waited += 20) {
      assert.ok(waited < 5000, 'the session still waits for its lock')
      await sleep(20)
    }
    await assert.rejects(dump(pgDump, target, { section: 'pre-data', signal: abort.signal }), reason)
  })
}

const hostileSql = `
  CREATE ROLE "o"";
  -- x";
  CREATE SCHEMA "x; Type: VIEW; Schema: y";
  CREATE TABLE "x; Type: VIEW; Schema: y"."a\nb" (id integer PRIMARY KEY);
  ALTER TABLE "x; Type: VIEW; Schema: y"."a\nb" OWNER TO pg_signal_backend;
  CREATE TABLE "c; Type: VIEW; Schema: public; Owner: joe" ("$$" text DEFAULT E'\\'\n--\n-- Name: z; Type: TABLE; Schema: -; Owner: -\n--\n');
  CREATE FUNCTION "f$$"(begin integer) RETURNS text LANGUAGE plpgsql AS $_$
--
-- Name: z; Type: TABLE; Schema: public; Owner: joe
--
BEGIN RETURN $$ ; $a$ ' $$; END $_$;
  CREATE FUNCTION atomic(begin integer, "end" integer) RETURNS integer LANGUAGE sql
    BEGIN ATOMIC SELECT 1; SELECT CASE WHEN atomic.begin > 0 THEN 2 ELSE "end" END; END;
  ALTER FUNCTION atomic(integer, integer) OWNER TO "o"";
  -- x";
  CREATE OPERATOR ## (LEFTARG = integer, RIGHTARG = integer, FUNCTION = atomic);
  CREATE POLICY "p;" ON "c; Type: VIEW; Schema: public; Owner: joe" TO "o"";
  -- x" USING ("$$" <> E'\\\\'';');
  GRANT SELECT ON "c; Type: VIEW; Schema: public; Owner: joe" TO "o"";
  -- x" WITH GRANT OPTION;
  COMMENT ON SCHEMA "x; Type: VIEW; Schema: y" IS '
SET default_tablespace = x;

--
-- PostgreSQL database dump complete
--
';`

/** On a connection of its own. */
async function dump(pgDump: PgDump, target: ConnectionTarget, options: SchemaDumpOptions): Promise<Buffer> {
  await using connection = await Connection.connect(target)
  return await dumpSchema(pgDump, connection, options)
}

const loaded = new Map<string, Promise<ConnectionTarget>>()

/** tricky.sql makes its database itself, and makes roles, as the hostile one does. */
function loadOnce(textOrPath: string): Promise<ConnectionTarget> {
  const load = async () => {
    const target = await server.createDatabase()
    await loadSql(target, textOrPath)
    return textOrPath.endsWith('/tricky.sql') ? withDatabase(target, 'tricky') : target
  }
  const target = loaded.get(textOrPath) ?? load()
  loaded.set(textOrPath, target)
  return target
}

/** Restores the entries one by one into an empty database, which must then look the same to the same pg_dump. */
async function assertSameAfterRestore(pgDump: PgDump, source: ConnectionTarget) {
  const entriesOf = async (section: 'pre-data' | 'post-data') =>
    splitSchemaText((await dump(pgDump, source, { section, encoding: 'UTF8' })).toString())
  const entries = [...(await entriesOf('pre-data')), ...(await entriesOf('post-data'))]
  const restored = await server.createDatabase()
  await using connection = await Connection.connect(restored)
  await connection.execute(`SET check_function_bodies = off; SET xmloption = content; SET search_path = ''`)
  for (const entry of entries) await connection.execute(statementsOf(entry))
  assert.deepEqual(await sortedLines(pgDump, restored), await sortedLines(pgDump, source))
  return entries
}

async function sortedLines(pgDump: PgDump, target: ConnectionTarget): Promise<string[]> {
  const lines = (await textOf(pgDump, target)).split('\n')
  return lines.filter((line) => !line.startsWith('-- ')).toSorted()
}

async function textOf(pgDump: PgDump, target: ConnectionTarget): Promise<string> {
  const sections = ['pre-data', 'post-data'] as const
  const texts = await Promise.all(sections.map((section) => dump(pgDump, target, { section, encoding: 'UTF8' })))
  return texts.join('')
}

/** A session that holds a table, so that pg_dump waits. */
async function block(target: ConnectionTarget): Promise<Connection> {
  const connection = await Connection.connect(target)
  await connection.execute('CREATE TABLE held ()')
  await connection.execute('BEGIN; LOCK TABLE held')
  return connection
}

async function waitingPid(connection: Connection, target: ConnectionTarget): Promise<string | null | undefined> {
  const sql = `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = '${target.database}'`
  return (await connection.query(`SELECT pg_stat_clear_snapshot(); ${sql}`))[0]?.[0]
}

async function untilWaiting(connection: Connection, target: ConnectionTarget): Promise<string> {
  for (;;) {
    const pid = await waitingPid(connection, target)
    if (pid) return pid
    await sleep(20)
  }
}
