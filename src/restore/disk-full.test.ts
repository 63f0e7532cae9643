import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { AppError } from '../core/app-error.ts'
import { withDatabase } from '../postgres/target/connection-target.ts'
import { startTestServer } from '../postgres/server/test-server.ts'
import { TestBench } from './test-bench.ts'
import { needsRoot, smallDisk } from './test-small-disk.ts'

const run = promisify(execFile)
describe('a disk of a server that has no room', { skip: needsRoot, timeout: 180_000 }, () => {
  let bench: TestBench
  /** About 9 MB, in a tablespace. */
  let id: string
  let source: string
  before(async () => {
    bench = await TestBench.start()
    const directory = await mkdtemp('/tmp/pgrevive-disk-')
    await chmod(directory, 0o777)
    const location = `${directory}/roomy`
    await mkdir(location, { mode: 0o700 })
    await run('chown', ['nobody', location])
    source = directory
    await bench.query(bench.server.target, `CREATE TABLESPACE data LOCATION '${location}'`)
    await bench.query(bench.server.target, 'CREATE DATABASE big TEMPLATE template0 TABLESPACE data')
    const big = withDatabase(bench.server.target, 'big')
    await bench.query(
      big,
      `CREATE TABLE t AS SELECT i, sha512(i::text::bytea)::text FROM generate_series(1, 50000) i; CREATE INDEX ON t (i)`,
    )
    id = await bench.backUp(big)
  })
  after(async () => {
    await bench[Symbol.asyncDispose]()
    await run('rm', ['-rf', source])
  })

  it('ends a restore with an error that says so, and leaves no database and no file', async () => {
    await using disk = await smallDisk(12)
    await using server = await startTestServer()
    await using connection = await server.connect()
    const location = `${disk.path}/data`
    await mkdir(location, { mode: 0o700 })
    await run('chown', ['nobody', location])
    await connection.execute(`CREATE TABLESPACE data LOCATION '${location}'`)
    const error = await bench.restore(id, 'big', {}, { target: server.target }).catch((caught: unknown) => caught)
    assert.ok(error instanceof AppError)
    assert.equal(error.code, 'server-full')
    assert.match(error.message, /public\.t.*: .*No space left on device/)
    assert.match(error.hint ?? '', /free space on the disk of the server/)
    const databases = await connection.query("SELECT datname FROM pg_database WHERE datname ~ '^(big|pgrevive)'")
    assert.deepEqual(databases, [])
    const [version = ''] = await readdir(location)
    const left = await readdir(`${location}/${version}`)
    assert.deepEqual(
      left.filter((name) => name !== 'pgsql_tmp'),
      [],
    )
    await disk.resize(40)
    await bench.restore(id, 'big', {}, { target: server.target })
    await connection.execute('DROP DATABASE big')
    await connection.execute('DROP TABLESPACE data')
  })

  for (const [what, megabytes] of [
    ['too small for a server', 20],
    ['too small for the rows', 50],
  ] as const) {
    it(`${what}: a proof says where, refutes nothing, and leaves nothing`, async () => {
      await using disk = await smallDisk(megabytes)
      const error = await bench
        .prove(id, { environment: { ...process.env, TMPDIR: disk.path } })
        .catch((caught: unknown) => caught)
      assert.ok(error instanceof AppError, JSON.stringify(error))
      assert.equal(error.code, 'server-full')
      assert.match(error.hint ?? '', new RegExp(`says nothing about the backup: free space in ${disk.path}`))
      assert.deepEqual(await readdir(disk.path), [])
    })
  }
})
