import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { z } from 'zod'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { type TestServer, loadSql, runClient, startTestServer } from '../../postgres/server/test-server.ts'
import { exportCommand } from './export.ts'
import { TestHost, assertFailed, until } from './test-host.ts'

/** About 15 MB that hardly compress: gzip at its best takes a while for it. */
const village = `
  CREATE TABLE pets AS SELECT i, 'pet ' || i AS name FROM generate_series(1, 2000) i;
  CREATE TABLE people AS SELECT i, encode(sha512(i::text::bytea), 'base64') AS name FROM generate_series(1, 150000) i;
  CREATE VIEW "pet's" AS SELECT name FROM pets; CREATE MATERIALIZED VIEW number AS SELECT count(*) FROM pets;
  CREATE ROLE reader; GRANT SELECT ON pets TO reader; CREATE ROLE "keeper's"; GRANT "keeper's" TO reader`
const contents = 'SELECT count(*), sum(hashtext(name)) FROM people'

describe('pgrevive export', { timeout: 180_000 }, () => {
  let server: TestServer
  let host: TestHost
  before(async () => {
    server = await startTestServer()
    host = await TestHost.create(server)
    await loadSql(server.target, 'CREATE DATABASE village TEMPLATE template0')
    await loadSql(withDatabase(server.target, 'village'), village)
    await host.succeed('init')
    await host.backUp('postgres:///village')
  })
  after(async () => {
    await host[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  async function query(database: string, sql: string) {
    await using connection = await server.connect(database)
    return await connection.query(sql)
  }
  async function createDatabase(name: string) {
    await loadSql(server.target, `CREATE DATABASE ${name} TEMPLATE template0`)
    return withDatabase(server.target, name)
  }
  /** As a person types it, in a shell. */
  async function shell(script: string): Promise<{ stdout: string; stderr: string }> {
    const pgrevive = `"${process.execPath}" "${new URL('../../../bin/pgrevive.js', import.meta.url).pathname}"`
    const whole = `set -o pipefail; pgrevive() { ${pgrevive} "$@"; }; ${script}`
    const PATH = `/usr/lib/postgresql/15/bin:${process.env['PATH']}`
    return promisify(execFile)('bash', ['-c', whole], { cwd: host.directory, env: { ...host.environment, PATH } })
  }
  const left = async () => (await readdir(host.directory)).filter((name) => name.startsWith('out'))

  it('pipes into psql and pg_restore', async () => {
    await createDatabase('piped')
    await shell('pgrevive export latest:village | psql -Xq -v ON_ERROR_STOP=1 -o /dev/null -d piped')
    assert.deepEqual(await query('piped', contents), await query('village', contents))
    await createDatabase('piped_archive')
    await shell('pgrevive export latest -F c -Z 1 | pg_restore -e -d piped_archive')
    assert.deepEqual(await query('piped_archive', contents), await query('village', contents))
    const fromPipe = await createDatabase('without_places')
    await shell('pgrevive export latest -F c -Z 0 > piped.dump')
    await runClient(fromPipe, 'pg_restore', ['-e', '-j2', host.path('piped.dump')])
    assert.deepEqual(await query('without_places', contents), await query('village', contents))
  })

  it('says what it wrote, and where', async () => {
    const document = z.object({
      backup: z.ulid(),
      format: z.literal('directory'),
      output: z.string(),
      tables: z.literal(2),
      rows: z.literal(152_000),
      bytes: z.int(),
      roles: z.array(z.string()),
      notes: z.array(z.string()).length(0),
    })
    const { output, roles } = await host.document(document, 'export', 'latest', '-F', 'd', '-o', 'said')
    assert.deepEqual([output, roles.toSorted()], [host.path('said'), ['postgres', 'reader']])
    assert.match(
      await host.succeed('export', 'latest', '--table', 'pets', '-o', 'pets.sql.gz'),
      /^exported village to .*pets\.sql\.gz: 1 table, 2,000 rows/,
    )
    assert.deepEqual((await readFile(host.path('pets.sql.gz'))).subarray(0, 2), Buffer.from([0x1f, 0x8b]))
    const modes = [
      ...(await readdir(output)).map((name) => host.path('said', name)),
      host.path('pets.sql.gz'),
      output,
    ].map(async (path) => ((await stat(path)).mode & 0o777).toString(8))
    assert.deepEqual(new Set(await Promise.all(modes)), new Set(['600', '700']), 'all data lies there in clear')
  })

  it('writes the roles of the server, which psql takes where they are and where they are not', async () => {
    await host.succeed('export', 'latest', '--globals-only', '-o', 'roles.sql')
    const isMember = `SELECT pg_has_role('reader', 'keeper''s', 'MEMBER')`
    for (const dropped of [false, true]) {
      if (dropped) await query('postgres', `DROP ROLE "keeper's"`)
      await runClient(server.target, 'psql', ['-Xq', '-v', 'ON_ERROR_STOP=1', '-f', host.path('roles.sql')])
      assert.deepEqual(await query('postgres', isMember), [['t']])
    }
  })

  it('says of views whose tables are not chosen that they are left out, and so does the script, as a restore would', async () => {
    const chosen = `latest --table "pet's" --table number`
    const leftOut = ["VIEW public.pet's", 'MATERIALIZED VIEW public.number'].map(
      (view) => new RegExp(`${view} was left out: relation "public\\.pets" does not exist`),
    )
    const { stdout: restored } = await shell(`pgrevive restore ${chosen} --to postgres:///restored_views`)
    for (const words of leftOut) assert.match(restored, words)
    for (const [format, client] of [
      ['plain', 'psql -Xq -v ON_ERROR_STOP=1 -o /dev/null'],
      ['custom', 'pg_restore -ev'],
    ] as const) {
      await createDatabase(`views_${format}`)
      const { stderr } = await shell(`pgrevive export ${chosen} -F ${format} | ${client} -d views_${format}`)
      assert.match(stderr, /^warning: view public\.pet's reads what is not exported, .*: public\.pets$/m)
      for (const words of leftOut) assert.match(stderr, words)
    }
  })

  it('is one transaction where that is asked for: nothing stays of what is cut off', async () => {
    await createDatabase('whole_or_not')
    const psql = 'psql -Xq -v ON_ERROR_STOP=1 -o /dev/null -d whole_or_not'
    await shell(`set +o pipefail; pgrevive export latest --single-transaction | head -c 5000000 | ${psql}`)
    assert.deepEqual(await query('whole_or_not', "SELECT to_regclass('people')"), [[null]])
    await shell(`pgrevive export latest --single-transaction | ${psql}`)
    assert.deepEqual(await query('whole_or_not', contents), await query('village', contents))
  })

  it('never writes over anything', async () => {
    await writeFile(host.path('there'), 'precious')
    for (const format of ['plain', 'custom', 'directory']) {
      assertFailed(await host.run('export', 'latest', '-F', format, '-o', 'there'), 'output-exists', {
        message: /there/,
      })
    }
    assert.equal(await readFile(host.path('there'), 'utf8'), 'precious')
  })

  it('refuses what can not be meant', async () => {
    const cases: [Record<string, unknown>, RegExp][] = [
      [{ format: 'tar', output: 'out' }, /--format must be plain, custom, directory/],
      [{ format: 'directory' }, /--output must name the directory/],
      [{ format: 'custom', output: 'out.gz' }, /compressed inside/],
      [{ format: 'c', compress: 'zstd' }, /pg_restore knows zstd only from version 16/],
      [{ format: 'd', create: true, output: 'out' }, /give the first two to pg_restore/],
      [{ compress: 'gzip:10' }, /--compress must be/],
      [{ schemaOnly: true, dataOnly: true }, /exclude each other/],
    ]
    for (const [options, message] of cases) {
      assert.throws(() => exportCommand.prepare({ backup: 'latest', ...options }), { code: 'usage-invalid', message })
    }
    assertFailed(await host.run('export', 'latest', '--json'), 'usage-invalid', { message: /--json/ })
    const tooLong = `out${'t'.repeat(250)}` // for the name that it has until it is whole; root may look everywhere else
    for (const place of ['nowhere/out', tooLong, `${tooLong}${tooLong}`]) {
      const ended = await host.run('export', 'latest', '-o', place)
      assertFailed(ended, 'output-failed', {
        message: /can not be written: E(NOENT|NAMETOOLONG)/,
        hint: /see to the place/,
      })
    }
    assert.deepEqual(await left(), [])
  })

  for (const format of ['custom', 'directory'] as const) {
    it(`leaves nothing when it is stopped, and nothing that looks whole when it is killed: ${format}`, async () => {
      for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
        const running = await host.start('export', 'latest', '-F', format, '-Z', '9', '-o', 'out')
        await until(async () => (await left()).length > 0)
        process.kill(running.child.pid, signal)
        const ended = await running.ended
        if (signal === 'SIGTERM') assertFailed(ended, 'interrupted')
        else assert.equal(ended.signal, signal)
        const names = await left()
        if (signal === 'SIGTERM') assert.deepEqual(names, [])
        else assert.match(names.join(), /^out\.unfinished-[0-9a-f]{8}$/)
      }
      await host.succeed('export', 'latest', '-F', format, '-o', 'out')
      assert.deepEqual(await left(), ['out'])
      await shell('rm -r out')
    })
  }

  it('ends with an error when its reader goes away, or its disk is full', async () => {
    await assert.rejects(shell('pgrevive export latest | head -n 1'), /output-failed.*stdout/s)
    const full = shell('pgrevive export latest > /dev/full 2> errors.txt')
    await assert.rejects(full, { code: 6 })
    const errors = (await readFile(host.path('errors.txt'), 'utf8')).match(/^(error|bug).*$/gm)
    assert.match(errors?.join('\n') ?? '', /^error \[output-failed\]: stdout can not be written: ENOSPC.*$/)
  })

  it('names the table that is damaged, and leaves nothing that looks whole; psql fails on the rest', async () => {
    const [largest] = (await shell('ls -S backups/packs/*/*')).stdout.split('\n')
    assert.ok(largest)
    const pack = await readFile(host.path(largest))
    pack.writeUInt8(pack.readUInt8(pack.length >> 1) ^ 1, pack.length >> 1) // among people
    await writeFile(host.path(largest), pack)
    for (const format of ['plain', 'custom', 'directory']) {
      const ended = await host.run('export', 'latest', '-F', format, '-o', 'out')
      assertFailed(ended, 'object-damaged', { message: /table public\.people/ })
    }
    assert.deepEqual(await left(), [])
    await createDatabase('half')
    // each repository has its own key, and cuts its chunks elsewhere: anywhere in a row, and so each time another error
    const piped = 'set +o pipefail; pgrevive export latest --quiet | psql -Xq -v ON_ERROR_STOP=1 -o /dev/null -d half'
    await assert.rejects(shell(piped), { code: 3, message: /ERROR: / })
    const { stdout: end } = await shell('set +o pipefail; pgrevive export latest --quiet | tail -n 1')
    assert.match(end, /^DO .*'this export is not whole'/)
    await host.succeed('export', 'latest', '--table', 'pets', '-o', 'pets.sql')
  })
})
