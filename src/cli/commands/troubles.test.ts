import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, writeFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { z } from 'zod'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { TestS3Server } from '../../store/s3/test-s3-server.ts'
import { shellWord } from '../../core/text/shell-word.ts'
import { TestHost, assertFailed, connectionVariables, doctorDocument, restoreDocument } from './test-host.ts'

type Doctor = z.output<typeof doctorDocument>
const run = promisify(execFile)
const program = fileURLToPath(new URL('../../../bin/pgrevive.js', import.meta.url))

/** What doctor says, and its exit code; `before` are words that start it: a user, a limit. */
async function consult(
  host: TestHost,
  { before = [], args = [] }: { before?: readonly string[]; args?: readonly string[] } = {},
): Promise<Doctor> {
  const [first = '', ...rest] = [...before, process.execPath, program, 'doctor', '--json', ...args]
  const child = spawn(first, rest, { cwd: host.directory, env: host.environment, stdio: ['ignore', 'pipe', 'inherit'] })
  const [stdout] = await Promise.all([text(child.stdout), once(child, 'exit')])
  const document = doctorDocument.parse(JSON.parse(stdout))
  assert.equal(child.exitCode, document.safe ? 0 : 12, stdout)
  return document
}

function finding({ sections }: Doctor, check: string) {
  const found = sections.flatMap(({ findings }) => findings).find((one) => one.check === check)
  assert.ok(found, `${check}: ${JSON.stringify(sections)}`)
  return found
}

/** It is bad, says so in these words, and names what mends it. */
function assertBad(said: Doctor, check: string, meaning: RegExp, remedy: RegExp): void {
  const found = finding(said, check)
  assert.equal(found.verdict, 'bad', JSON.stringify(found))
  assert.match(found.meaning, meaning)
  assert.match(found.remedy ?? '', remedy)
}

describe('doctor names each trouble, and what mends it', { timeout: 300_000 }, () => {
  let server: TestServer
  before(async () => {
    server = await startTestServer()
    await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
    await loadSql(server.target, `CREATE ROLE reader LOGIN PASSWORD 'reader'; CREATE ROLE clerk`)
    await loadSql(
      withDatabase(server.target, 'shop'),
      'CREATE TABLE orders AS SELECT i AS id FROM generate_series(1, 1000) i; ALTER TABLE orders OWNER TO clerk',
    )
  })
  after(() => server?.[Symbol.asyncDispose]())

  async function createHost(more = ''): Promise<TestHost> {
    const host = await TestHost.create(server)
    await writeFile(host.path('pgrevive.yaml'), `databases: { shop: { url: postgres:///shop } }\n${more}`)
    await host.succeed('init')
    return host
  }

  it('nothing, where all is well: and says how new backups are', async () => {
    await using host = await createHost()
    const before = finding(await consult(host), 'shop: newest backup')
    assert.deepEqual([before.verdict, before.answer], ['note', 'none'])
    await host.succeed('backup')
    await host.succeed('prove')
    const said = await consult(host)
    for (const check of [
      'shop: newest backup',
      'shop: newest proven',
      'clock',
      'shop: clock',
      'write',
      'size of files',
    ]) {
      assert.equal(finding(said, check).verdict, 'good', check)
    }
    assert.match(await host.succeed('doctor'), /^ok +shop: rights +superuser \w+ +may read and restore everything$/m)
  })

  it('backups that have stopped, and proofs', async () => {
    await using host = await createHost('objectives: { rpo: 2h, prove_every: 1d }\n')
    await host.succeed('backup')
    assertBad(await consult(host), 'shop: newest proven', /can be restored/, /^pgrevive prove --database shop$/)
    await host.succeed('prove')
    assert.equal((await consult(host)).safe, true)
    await writeFile(
      host.path('pgrevive.yaml'),
      `databases: { shop: { url: postgres:///shop }, other: { url: postgres:///shop } }\n`,
    )
    assertBad(await consult(host), 'other: newest backup', /never backed up/, /^pgrevive backup other /)
  })

  it('a server that is down', async () => {
    await using host = await createHost()
    const away = host.with({ PGHOST: host.directory })
    assertBad(await consult(away), 'shop', /no such socket/, /^systemctl start postgresql .*pg_isready/)
  })

  it('a role and a database that do not exist, and a wrong password', async () => {
    await using host = await createHost()
    const stranger = host.with({ PGUSER: 'nobody_knows' })
    assertBad(await consult(stranger), 'shop', /nobody_knows/, /psql .*nobody_knows.*rolcanlogin/)
    await writeFile(host.path('pgrevive.yaml'), 'databases: { shop: { url: postgres:///shp } }\n')
    assertBad(await consult(host), 'shop', /"shp" does not exist/, /^createdb .* shp /)
  })

  it('a role that may not read a table', async () => {
    await using host = await createHost()
    const reader = host.with({ PGUSER: 'reader', PGPASSWORD: 'reader' })
    const said = await consult(reader)
    assertBad(said, 'shop: rights', /may not read public.orders/, /^psql .*GRANT pg_read_all_data TO "reader"/)
    assert.match(finding(said, 'shop: restore').remedy ?? '', /ALTER ROLE "reader" CREATEDB/)
    assertFailed(await reader.run('backup'), 'permission-denied')
    await loadSql(server.target, 'GRANT pg_read_all_data TO reader')
    assert.equal(finding(await consult(reader), 'shop: rights').verdict, 'good')
    await reader.succeed('backup')
  })

  it('a repository that this user may not write', { skip: process.geteuid?.() !== 0 }, async () => {
    await using host = await createHost()
    const as = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
    const backups = shellWord(host.path('backups'))
    // as root leaves it that ran "init" with sudo: all can be read, nothing written
    await run('chmod', ['-R', 'a+rX', host.directory])
    assertBad(
      await consult(host, { before: as }),
      'write',
      /^nobody may not write into/,
      new RegExp(`^sudo chown -R nobody ${backups}`),
    )
    await chmod(host.path('backups'), 0o700)
    assertBad(await consult(host, { before: as }), 'repository', /no permission/, /^sudo chown -R nobody /)
  })

  it('a limit to the size of files, which a backup meets', async () => {
    await using host = await createHost()
    const limited = ['sh', '-c', 'ulimit -f 16; exec "$0" "$@"'] as const
    assertBad(await consult(host, { before: limited }), 'size of files', /file too large/, /ulimit -f unlimited/)
    await loadSql(
      withDatabase(server.target, 'shop'),
      'CREATE TABLE noise AS SELECT md5(random()::text) FROM generate_series(1, 20000)',
    )
    const [shell, ...rest] = limited
    const child = spawn(shell, [...rest, process.execPath, program, 'backup', '--pg-dump', 'bundled'], {
      cwd: host.directory,
      env: host.environment,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const [stderr] = await Promise.all([text(child.stderr), once(child, 'exit')])
    assert.match(
      stderr,
      /error \[store-failed\]: .*larger than this user or the file system allows\n[^]*hint: .*ulimit -f unlimited/,
    )
    assert.deepEqual(await host.list(), [])
  })

  it('a role that a restore needs', async () => {
    await using host = await createHost()
    await host.succeed('backup')
    await using elsewhere = await startTestServer()
    const there = host.with(connectionVariables(elsewhere))
    await loadSql(elsewhere.target, 'CREATE DATABASE shop TEMPLATE template0')
    // a server that trusts says that there is no such role
    {
      await using connection = await elsewhere.connect()
      const [[file = ''] = []] = await connection.query('SHOW hba_file')
      await connection.query(`COPY (SELECT 'local all all trust') TO '${file}'`)
      await connection.query('SELECT pg_reload_conf()')
    }
    assertBad(
      await consult(there.with({ PGUSER: 'unknown' })),
      'shop',
      /"unknown" does not exist/,
      /CREATE ROLE "unknown" LOGIN/,
    )
    const found = finding(await consult(there), 'shop: restore here')
    assert.deepEqual([found.verdict, /clerk/.test(found.meaning)], ['note', true])
    assert.match(found.remedy ?? '', /--create-roles/)
    assertFailed(await there.run('restore', 'latest', '--to', 'again'), 'role-missing', { hint: /--create-roles/ })
    await there.document(restoreDocument, 'restore', 'latest', '--to', 'again', '--create-roles')
    assert.equal(finding(await consult(there), 'shop: restore here').verdict, 'good')
  })

  it('an engine that is not there, or does not run', async () => {
    await using host = await createHost()
    await writeFile(
      host.path('pgrevive.yaml'),
      'databases: { app: { url: docker://travelscout-postgres/travelscout } }\n',
    )
    const socket = host.path('engine.sock')
    const away = host.with({ DOCKER_HOST: `unix://${socket}` })
    assertBad(await consult(away), 'engine', /no container engine/, /systemctl start docker/)
    // as an engine leaves it that was killed
    const listen = `require("node:net").createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, "SIGKILL"))`
    await run(process.execPath, ['-e', listen]).catch(() => undefined)
    assertBad(await consult(away), 'engine', /does not run/, /systemctl start docker/)
  })
})

const s3 = await TestS3Server.start()
after(() => (typeof s3 === 'string' ? undefined : s3[Symbol.asyncDispose]()))

describe('doctor on S3', { timeout: 200_000, ...(typeof s3 === 'string' && { skip: s3 }) }, () => {
  it('names wrong credentials and missing rights', async () => {
    assert.ok(typeof s3 !== 'string')
    const bucket = await s3.createBucket({})
    await using bare = await TestHost.create()
    const host = bare.with({ PGREVIVE_REPO: `s3://${bucket}/shop?endpoint=${s3.endpoint}` })
    const writer = s3.credentials('writer')
    await host.with(writer).succeed('init')
    assert.equal((await consult(host.with(writer), { args: ['--store'] })).safe, true)
    for (const [wrong, meaning] of [
      [{ AWS_ACCESS_KEY_ID: 'NOBODYKNOWSTHISKEY00' }, /does not know the access key/],
      [{ AWS_SECRET_ACCESS_KEY: 'wrong' }, /secret key .* is wrong/],
    ] as const) {
      const said = await consult(host.with({ ...writer, ...wrong }))
      assertBad(said, 'repository', meaning, /AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/)
    }
    const stranger = await consult(host.with(s3.credentials('stranger')), { args: ['--store'] })
    assertBad(stranger, 'write', /no right/, /s3:PutObject/)
  })
})
