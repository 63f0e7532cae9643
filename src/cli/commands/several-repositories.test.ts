import assert from 'node:assert/strict'
import { readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { TestHost, assertFailed, initDocument, restoreDocument } from './test-host.ts'

const place = z.object({ repository: z.string(), proof: z.unknown(), pin: z.unknown(), copied: z.unknown() })
const listed = z.object({ backups: z.array(z.object({ id: z.string(), repositories: z.array(place) })) })

async function flipMiddle(path: string): Promise<void> {
  const bytes = await readFile(path)
  const middle = bytes.length >> 1
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle)
  await writeFile(path, bytes)
}

describe('several repositories', { timeout: 300_000 }, () => {
  let server: TestServer
  before(async () => {
    server = await startTestServer()
    await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
    await loadSql(
      withDatabase(server.target, 'shop'),
      'CREATE TABLE orders AS SELECT i AS id, md5(i::text) AS what FROM generate_series(1, 50000) i; SELECT lo_from_bytea(7, $$a large one$$)',
    )
  })
  after(() => server?.[Symbol.asyncDispose]())

  /** With pgrevive.yaml, two repositories with keys of their own, and nothing in them. */
  async function createHost(more = ''): Promise<TestHost> {
    const host = (await TestHost.create(server)).with({ PGREVIVE_REPO: undefined })
    const config = `repositories:\n  local: ./backups\n  offsite:\n    place: ./offsite\n    key_file: offsite.key\n${more}`
    await writeFile(host.path('pgrevive.yaml'), config)
    await host.document(initDocument, 'init', '--repo', 'local', '--kit', 'local.txt', '--chunk-size', '4KiB')
    await host.document(initDocument, 'init', '--repo', 'offsite', '--kit', 'offsite.txt')
    return host
  }

  /** The id of each backup, newest first, and the repositories that hold it. */
  const placesOf = async (host: TestHost) =>
    (await host.document(listed, 'list')).backups.map(({ id, repositories }) => ({
      id,
      names: repositories.map(({ repository }) => repository).toSorted(),
    }))

  it('take one backup that is read once, under one id, and each restores it alone', async () => {
    await using host = await createHost()
    const text = await host.succeed('backup', 'postgres:///shop')
    assert.match(text, /^ {2}local: .* stored\n {2}offsite: .* stored$/m)
    const [{ id, names } = { id: '', names: [] }, ...others] = await placesOf(host)
    assert.deepEqual([names, others], [['local', 'offsite'], []])
    assert.match(await host.succeed('list'), /local\n.*offsite/)
    await host.succeed('check', '--level', 'content')
    await host.succeed('prove', id)
    for (const name of ['local', 'offsite']) {
      const other = name === 'local' ? 'offsite' : 'backups'
      await rename(host.path(other), host.path('elsewhere'))
      const document = await host.document(restoreDocument, 'restore', id, '--to', `from_${name}`, '--repo', name)
      assert.equal(document.rows, 50_000)
      assert.match(await host.succeed('diff', id, `postgres:///from_${name}`, '--repo', name), /^equal: 1 table/m)
      const around = await host.run('restore', 'latest', '--to', `around_${name}`)
      assert.equal(around.exitCode, 0, around.stderr)
      assert.match(
        around.stderr,
        new RegExp(`^warning: ${other === 'offsite' ? 'offsite' : 'local'} is left aside`, 'm'),
      )
      assertFailed(await host.run('list'), 'store-missing', { message: /^1 of 2 repositories failed/ })
      await rename(host.path('elsewhere'), host.path(other))
    }
  })

  it('go on when one of them fails, which sync makes whole again', async () => {
    await using host = await createHost()
    await host.succeed('backup', 'postgres:///shop')
    await rename(host.path('offsite', 'records'), host.path('offsite', 'kept'))
    await writeFile(host.path('offsite', 'records'), 'no directory')
    const ended = await host.run('backup', 'postgres:///shop')
    assertFailed(ended, 'store-missing', {
      message: /^1 of 2 repositories failed; offsite: /,
      hint: /"pgrevive sync --from local --to offsite"$/,
    })
    assert.match(ended.stdout, /^ {2}local: .* stored$/m)
    await rm(host.path('offsite', 'records'))
    await rename(host.path('offsite', 'kept'), host.path('offsite', 'records'))
    await host.succeed('pin', 'latest', '--reason', 'for good', '--repo', 'local')
    const before = await placesOf(host)
    assert.deepEqual(
      before.map(({ names }) => names),
      [['local'], ['local', 'offsite']],
    )
    assert.match(await host.succeed('sync', '--dry-run'), /would copy 1 backup into offsite/)
    assert.match(await host.succeed('sync'), /local: nothing to copy\n(.*\n)*copied 1 backup into offsite/)
    assert.match(await host.succeed('sync'), /offsite: nothing to copy/)
    const healed = await host.document(listed, 'list')
    const offsite = healed.backups[0]?.repositories.find(({ repository }) => repository === 'offsite')
    assert.ok(offsite?.copied !== null && offsite?.pin !== null)
    await host.succeed('check', '--level', 'content')
    await host.succeed('prove')
    await rm(host.path('backups'), { recursive: true })
    const [{ id } = { id: '' }] = before
    await host.document(restoreDocument, 'restore', id, '--to', 'healed', '--repo', 'offsite')
    assert.match(await host.succeed('diff', id, 'postgres:///healed', '--repo', 'offsite'), /^equal: 1 table/m)
  })

  it('get what others have only as far as their retention would keep it', async () => {
    await using host = await createHost('    retention: { keep_last: 1 }\n')
    const only = host.with({ PGREVIVE_REPO: 'local' })
    for (let count = 0; count < 3; count++) await only.backUp('postgres:///shop')
    const text = await host.succeed('sync')
    assert.match(text, /copied 1 backup into .*offsite.*\n {2}2 backups that its retention would let go/)
    const forgotten = await host.run('forget')
    assertFailed(forgotten, 'usage-invalid', { message: /1 of 2 repositories failed; local: no policy is named/ })
    assert.equal((await host.with({ PGREVIVE_REPO: 'offsite' }).list()).length, 1)
  })

  it('are copied between, also with a key that only writes there; one that is damaged does not stop the others', async () => {
    await using host = await createHost()
    const local = host.with({ PGREVIVE_REPO: 'local' })
    const { id } = await local.backUp('postgres:///shop')
    const before = await host.objects('packs')
    await loadSql(
      withDatabase(server.target, 'shop'),
      'CREATE TABLE later AS SELECT i, md5((-i)::text) AS t FROM generate_series(1, 20000) i',
    )
    const damaged = await local.backUp('postgres:///shop')
    await loadSql(withDatabase(server.target, 'shop'), 'DROP TABLE later')
    for (const path of (await host.objects('packs')).filter((one) => !before.includes(one))) await flipMiddle(path)

    await host.succeed('key', 'add', '--to', 'writer.key', '--write-only', '--repo', 'offsite')
    await rename(host.path('offsite.key'), host.path('reader.key'))
    await rename(host.path('writer.key'), host.path('offsite.key'))
    const ended = await host.run('copy', id, damaged.id, '--from', 'local', '--to', 'offsite')
    assertFailed(ended, 'object-damaged', { message: new RegExp(`1 of 2 backups were not copied; ${damaged.id}`) })
    assert.match(ended.stdout, /copied 1 backup into offsite/)
    assert.match(
      await host.succeed('copy', id.slice(0, 12), '--from', './backups', '--to', 'offsite'),
      /is there already/,
    )
    assertFailed(await host.run('restore', id, '--to', 'unread', '--repo', 'offsite'), 'key-cannot-read')
    await host.succeed('prove', id, '--repo', 'offsite', '--key-file', 'reader.key')
    assertFailed(await host.run('copy', id, '--from', 'local', '--to', 'local'), 'usage-invalid')
    assertFailed(await host.run('copy', 'ZZZ', '--from', 'local', '--to', 'offsite'), 'backup-unknown')
  })

  it('mean one and the same by the latest, which is that of all', async () => {
    await using host = await createHost()
    await host.succeed('backup', 'postgres:///shop')
    await host.succeed('backup', 'postgres:///shop')
    const { id: newest } = await host.with({ PGREVIVE_REPO: 'local' }).backUp('postgres:///shop')
    const pinned = await host.run('pin', 'latest:shop', '--reason', 'for good')
    assertFailed(pinned, 'backup-unknown', { message: new RegExp(`1 of 2 repositories failed; offsite: .*${newest}`) })
    await host.succeed('unpin', newest, '--repo', 'local')
    assertFailed(await host.run('forget', 'latest:shop', '--even-newest'), 'backup-unknown', { message: /offsite/ })
    assert.deepEqual(
      (await placesOf(host)).map(({ names }) => names),
      [
        ['local', 'offsite'],
        ['local', 'offsite'],
      ],
    )
  })

  it('help each other out of damage: restore names who has the backup, too, and sync brings back what was lost', async () => {
    await using host = await createHost()
    await host.succeed('backup', 'postgres:///shop')
    for (const path of await host.objects('packs')) await flipMiddle(path)
    assertFailed(await host.run('restore', 'latest', '--to', 'from_damaged'), 'object-damaged', {
      hint: /--repo offsite has this backup, too/,
    })
    assertFailed(await host.run('check', '--repair'), 'check-damaged', { message: /1 of 2 repositories failed; local/ })
    assert.match(await host.succeed('sync'), /copied 1 backup into .*local/)
    await host.succeed('check', '--level', 'content', '--repo', 'local')
    assert.match(await host.succeed('sync'), /local: nothing to copy/)
    const restored = await host.document(
      restoreDocument,
      'restore',
      'latest',
      '--to',
      'after_damage',
      '--repo',
      'local',
    )
    assert.equal(restored.rows, 50_000)
  })

  it('are no two where they are one under two names', async () => {
    await using host = await createHost()
    await symlink(host.path('backups'), host.path('link'))
    const ended = await host.run('backup', 'postgres:///shop', '--repo', 'local', '--repo', './link')
    assertFailed(ended, 'usage-invalid', { message: /holds the same repository as local/ })
    assert.match(ended.stdout, /^ {2}local: .* stored$/m)
  })

  it('are refused one by one where a command works on one alone', async () => {
    await using host = await createHost()
    assertFailed(await host.run('init'), 'usage-invalid', { hint: /local, offsite/ })
    assertFailed(await host.with({ PGREVIVE_REPO: 'local' }).run('sync'), 'usage-invalid', { hint: /repositories:/ })
    assertFailed(await host.run('list', '--repo', 'local', '--repo', './backups'), 'usage-invalid')
  })
})
