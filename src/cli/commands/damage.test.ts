import assert from 'node:assert/strict'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { type ListedBackup, TestHost, assertFailed, checkDocument } from './test-host.ts'

async function flipBit(path: string): Promise<void> {
  const bytes = await readFile(path)
  const middle = bytes.length >> 1
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle)
  await writeFile(path, bytes)
}

const damages = [
  { name: 'with a flipped bit', harm: flipBit, problem: 'hash', seenFrom: 2 },
  { name: 'that was removed', harm: (path: string) => rm(path), problem: 'missing', seenFrom: 0 },
] as const

const peopleContents = 'SELECT md5(string_agg(t::text, $$,$$ ORDER BY i)) FROM people t'

describe('a damaged repository', { timeout: 600_000 }, () => {
  let server: TestServer
  let host: TestHost
  /** Of pets alone, and of pets and people. */
  let backups: readonly [ListedBackup, ListedBackup]
  /** Holds the rows of people and nothing else that matters. */
  let packs: { readonly data: string; readonly meta: string }
  before(async () => {
    server = await startTestServer()
    host = await TestHost.create(server)
    await loadSql(server.target, 'CREATE DATABASE village TEMPLATE template0')
    const village = withDatabase(server.target, 'village')
    await loadSql(village, "CREATE TABLE pets AS SELECT i, 'pet ' || i AS name FROM generate_series(1, 2000) i")
    await host.succeed('init')
    const first = await host.backUp('postgres:///village')
    const earlier = await Promise.all([host.objects('packs'), host.objects('meta')])
    await loadSql(village, 'CREATE TABLE people AS SELECT i, md5(i::text) AS name FROM generate_series(1, 2000) i')
    backups = [first, await host.backUp('postgres:///village')]
    const later = await Promise.all([host.objects('packs'), host.objects('meta')])
    const [data, meta] = later.map((paths, kind) => paths.find((path) => !earlier[kind]?.includes(path)))
    assert.ok(data !== undefined && meta !== undefined)
    packs = { data, meta }
    await cp(host.path('backups'), host.path('sound'), { recursive: true })
  })
  after(async () => {
    await host[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  async function restoreSoundRepository(): Promise<void> {
    await rm(host.path('backups'), { recursive: true })
    await cp(host.path('sound'), host.path('backups'), { recursive: true })
  }
  const damagesAt = async (level: number, ...options: string[]) => {
    const ended = await host.run('check', '--level', String(level), '--json', ...options)
    const { damages: found } = checkDocument.parse(JSON.parse(ended.stdout))
    if (found.length > 0) assertFailed(ended, 'check-damaged', { hint: /run "pgrevive (check --repair|backup)"/ })
    else assert.equal(ended.exitCode, 0)
    return found
  }
  async function assertPeopleComeBack(backup: string, name: string): Promise<void> {
    await host.succeed('restore', backup, '--to', name)
    const contents = async (database: string) => {
      await using connection = await server.connect(database)
      return await connection.query(peopleContents)
    }
    assert.deepEqual(await contents(name), await contents('village'))
  }

  for (const { name, harm, problem, seenFrom } of damages) {
    it(`is seen, named by its table, and healed by the next backup: a pack ${name}`, async () => {
      await restoreSoundRepository()
      await harm(packs.data)
      const [, { id }] = backups
      for (const level of [0, 1, 2, 3]) {
        const found = await damagesAt(level, ...(level === 3 ? ['--repair'] : []))
        if (level < seenFrom) {
          assert.deepEqual(found, [], `level ${level}`)
          continue
        }
        const [damage] = found
        assert.ok(damage && found.length === 1, `level ${level}`)
        assert.deepEqual([packs.data.endsWith(damage.object), damage.problem], [true, problem])
        if (level === 0) continue // it does not read what backups hold
        assert.deepEqual(
          damage.backups.map((touched) => [touched.id, touched.streams.includes('table public.people')]),
          [[id, true]],
        )
        assert.ok(!damage.backups.some(({ streams }) => streams.includes('table public.pets')))
      }
      const healing = await host.backUp('postgres:///village')
      assert.ok(healing.added.chunks > 0)
      await host.assertClean({ backups: 3 })
      await assertPeopleComeBack(id, `people_${problem}`)
    })
  }

  it('is accepted once a backup that is given up is forgotten, as the hint says', async () => {
    await restoreSoundRepository()
    const [, { id }] = backups
    await host.succeed('prove', id, '--on', 'postgres:///postgres')
    const record = host.path('backups', 'records', id)
    for (const harm of [() => flipBit(record), () => rm(record)]) {
      await harm()
      const hint = new RegExp(`; else "pgrevive forget ${id}", and the backup is no longer missed$`)
      assertFailed(await host.run('check'), 'check-damaged', { hint })
    }
    await host.succeed('forget', id)
    await host.assertClean({ backups: 1 })
  })

  it('still gives back what the damage does not touch, and nothing that looks finished of the rest', async () => {
    await restoreSoundRepository()
    await flipBit(packs.data)
    const told = (await host.run('check', '--level', 'bits')).stdout
    assert.match(told, new RegExp(`backup ${backups[1].id}: .*table public\\.people`))
    await host.succeed('restore', backups[1].id, '--to', 'pets_alone', '--table', 'pets')
    const inPart = await host.run('restore', backups[1].id, '--to', 'in_part', '--skip-damaged')
    assert.match(
      inPart.stdout,
      /^ {2}lost: packs\/\S+ is damaged: it is not what was written\n {4}table public\.people lacks 2000 of 2000 rows$/m,
    )
    assertFailed(inPart, 'restore-incomplete', {
      message: /^in_part is not whole: table public\.people lacks 2000 of 2000 rows$/,
    })
    assertFailed(await host.run('restore', backups[1].id, '--to', 'half', '--json'), 'object-damaged', {
      message: /people/,
    })
    await using connection = await server.connect()
    const left = "SELECT datname FROM pg_database WHERE datname = 'half' OR datname LIKE 'pgrevive%'"
    assert.deepEqual(await connection.query(left), [])
  })

  it('is backed up again in full where the lists of a backup are lost, though that backup is', async () => {
    await restoreSoundRepository()
    await flipBit(packs.meta)
    const [first, second] = backups
    const found = await damagesAt(1)
    assert.ok(found.some(({ object, problem }) => packs.meta.endsWith(object) && problem === 'hash'))
    assert.deepEqual([...new Set(found.flatMap(({ backups: ids }) => ids.map(({ id }) => id)))], [second.id])
    await damagesAt(1, '--repair')
    const healing = await host.backUp('postgres:///village')
    const touched = (await damagesAt(3)).flatMap(({ backups: ids }) => ids.map(({ id }) => id))
    assert.ok(!touched.includes(first.id) && !touched.includes(healing.id), touched.join())
    await assertPeopleComeBack(healing.id, 'people_again')
  })
})
