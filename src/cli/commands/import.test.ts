import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { type TestServer, loadSql, runClient, startTestServer } from '../../postgres/server/test-server.ts'
import { TestHost, assertFailed } from './test-host.ts'

const secret = 'a secret of dumps'
const travelscout = `
  CREATE TABLE trips (id serial PRIMARY KEY, city text, photo oid);
  INSERT INTO trips (city) SELECT md5(i::text) FROM generate_series(1, 5000) i;
  INSERT INTO trips (city, photo) VALUES ('Rome', lo_from_bytea(0, 'a photo'))`

describe('pgrevive import', { timeout: 300_000 }, () => {
  let server: TestServer
  let host: TestHost
  before(async () => {
    server = await startTestServer()
    host = await TestHost.create(server)
    await loadSql(server.target, 'CREATE DATABASE travelscout TEMPLATE template0')
    await loadSql(withDatabase(server.target, 'travelscout'), travelscout)
    await host.succeed('init')
    for (const directory of ['guide', 'nightly']) await mkdir(host.path(directory))
  })
  after(async () => {
    await host[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  const dump = (name: string, ...programArguments: string[]) =>
    runClient(withDatabase(server.target, 'travelscout'), 'pg_dump', [...programArguments, '-f', host.path(name)])
  const gzipped = async (from: string, to: string) =>
    writeFile(host.path(to), gzipSync(await readFile(host.path(from))))

  it('takes what the guide makes, and proves it', async () => {
    await dump('guide/backup.sql')
    await dump('guide/backup.dump', '-Fc')
    await gzipped('guide/backup.dump', 'guide/backup.dump.gz')
    const openssl = ['enc', '-aes-256-cbc', '-salt', '-pass', 'env:SECRET', '-in', host.path('guide/backup.dump.gz')]
    const encrypted = ['-out', host.path('guide/backup_encrypted.dump.gz.enc')]
    await promisify(execFile)('openssl', [...openssl, ...encrypted], { env: { ...process.env, SECRET: secret } })
    await utimes(host.path('guide/backup.sql'), new Date('2024-02-03T04:05:06Z'), new Date('2024-02-03T04:05:06Z'))

    const said = await host.with({ PGREVIVE_DUMP_PASSPHRASE: secret }).succeed('import', '--prove', 'guide')
    assert.equal(said.match(/^imported and proven /gm)?.length, 4, said)
    const backups = await host.list()
    assert.deepEqual(
      backups.map(({ database, proof, totals }) => [database, proof?.outcome, totals.rows, totals.largeObjects]),
      [...Array(3).fill(['travelscout', 'proven', 5001, 1]), ['backup', 'proven', 5001, 1]],
    )
    assert.equal(backups.at(-1)?.snapshot.at, '2024-02-03T04:05:06.000Z')
    assert.ok(!(await host.run('show', 'latest', '--json')).stdout.includes(secret))
  })

  it('takes a directory of nightly dumps with their times, names what is broken, and goes on with the rest', async () => {
    const days = ['20250101', '20250102', '20250103', '20250104']
    for (const day of days) {
      await loadSql(withDatabase(server.target, 'travelscout'), `INSERT INTO trips (city) VALUES ('${day}')`)
      await dump('day.dump', '-Fc')
      await gzipped('day.dump', `nightly/travelscout_backup_${day}_020000.dump.gz`)
    }
    const cut = host.path('nightly', 'travelscout_backup_20250103_020000.dump.gz')
    await writeFile(cut, (await readFile(cut)).subarray(0, -100))
    await writeFile(host.path('nightly', 'travelscout_backup_20250105_020000.dump.gz'), '')
    await writeFile(host.path('nightly', 'README'), 'how we back up')

    const utc = host.with({ TZ: 'UTC' })
    const ended = await utc.run('import', 'nightly')
    assertFailed(ended, 'dump-damaged', { message: /^2 of 5 dumps failed; .*20250103_020000.dump.gz: / })
    assert.match(ended.stderr, /^warning: .*20250105_020000.dump.gz: the file is empty$/m)
    assert.match(ended.stderr, /^warning: .*README was left out: it is no dump/m)
    const imported = (await host.list()).filter(({ source }) => source.includes('nightly'))
    const at = (day: string) => `2025-01-${day}T02:00:00.000Z`
    assert.deepEqual(
      imported.map(({ snapshot }) => snapshot.at),
      [at('04'), at('02'), at('01')],
    )
    assert.deepEqual(
      imported.map(({ totals }) => totals.rows),
      [5005, 5003, 5002],
    )
    // most of a day is as it was the day before
    assert.ok((imported[0]?.added.chunks ?? 0) < (imported[0]?.added.ofChunks ?? 0) / 2)

    const again = await utc.run('import', 'nightly')
    assert.equal(again.stdout.match(/^already there /gm)?.length, 3)
    assert.equal((await host.list()).length, 7)
  })

  it('leaves the latest backup the latest', async () => {
    const { id } = await host.backUp('postgres:///travelscout')
    await dump('old.dump', '-Fc')
    await gzipped('old.dump', 'travelscout_20230101_000000.dump.gz')
    await host.succeed('import', 'travelscout_20230101_000000.dump.gz')
    assert.match(await host.succeed('show', 'latest'), new RegExp(id))
    assert.match(await host.succeed('prove', '--database', 'travelscout'), new RegExp(id))
    await host.assertClean({ backups: 9 })
  })

  it('is clear about what it can not do', async () => {
    const refuses = async (args: string[], code: Parameters<typeof assertFailed>[1], message: RegExp, variables = {}) =>
      assertFailed(await host.with(variables).run('import', ...args), code, { message })
    await refuses([], 'usage-invalid', /DUMP|dump/)
    await refuses(['missing.dump'], 'dump-unreadable', /missing.dump/)
    const encrypted = ['guide/backup_encrypted.dump.gz.enc']
    await refuses(encrypted, 'dump-passphrase', /there is no passphrase/)
    await refuses(encrypted, 'dump-passphrase', /does not open/, { PGREVIVE_DUMP_PASSPHRASE: 'wrong' })
    await writeFile(host.path('hello.dump'), 'hello')
    await refuses(['hello.dump'], 'dump-unknown', /hello.dump: it is no dump of pg_dump/)
    await rm(host.path('nightly'), { recursive: true })
    await mkdir(host.path('nightly'))
    await refuses(['nightly'], 'dump-unknown', /holds no file/)
  })
})
