import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { utimes } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { z } from 'zod'
import type { CheckLevel, CheckReport } from './check-report.ts'
import { checkRepository } from './check-repository.ts'
import { openRepository } from '../open-repository.ts'
import type { Repository } from '../repository.ts'
import type { CommittedRecord } from '../sessions/stored-record.ts'
import { streamRefSchema } from '../chunks/stream-ref.ts'
import { TestRepository, writeStream } from '../test-repository.ts'

const bodySchema = z.object({ manifest: streamRefSchema, table: streamRefSchema })
const levels = [0, 1, 2, 3] as const satisfies readonly CheckLevel[]
const content = Buffer.from(
  Array.from({ length: 5000 }, (_, row) => `${row}\t${createHash('md5').update(String(row)).digest('hex')}\n`).join(''),
)

async function* streamsOf(record: CommittedRecord) {
  const body = bodySchema.parse(record.body)
  yield { name: 'manifest', stream: body.manifest }
  yield { name: 'public.table', stream: body.table }
}

async function backUp(repository: Repository, bytes = content): Promise<string> {
  await using session = await repository.startSession()
  const table = await writeStream(session, bytes)
  const manifest = await writeStream(session, Buffer.from(`manifest of ${bytes.length}`), { kind: 'meta' })
  return (await session.commit({ manifest, table })).id
}

/** A repository with one object of every kind and one backup. */
async function createFull() {
  const test = await TestRepository.create()
  const backup = await backUp(test.repository)
  await test.repository.saveProof({ of: backup })
  await test.repository.saveNote({ of: backup })
  await test.repository.condemn(['ab'.repeat(32)])
  return { test, backup, [Symbol.asyncDispose]: () => test[Symbol.asyncDispose]() }
}

async function check(test: TestRepository, level: CheckLevel): Promise<CheckReport> {
  const { repository } = await test.reopen()
  return checkRepository(repository, { level, streamsOf })
}

/** Problem of `object` at each level, or undefined where the check does not see it. */
async function problemsAtEachLevel(test: TestRepository, object: string) {
  const problems: (string | undefined)[] = []
  for (const level of levels) {
    const { damages } = await check(test, level)
    problems.push(damages.find((damage) => damage.object === object)?.problem)
  }
  return problems
}

describe('check', () => {
  it('finds nothing wrong where nothing is, and says what it looked at', async () => {
    await using full = await createFull()
    await backUp(full.test.repository, content.subarray(0, 50_000))
    for (const level of levels) {
      const { damages, checked } = await check(full.test, level)
      assert.deepEqual(damages, [])
      assert.equal(checked.packs, 4)
      assert.equal(checked.records, level === 0 ? 0 : 2)
      assert.equal(checked.streams, level === 0 ? 0 : 4)
      assert.equal(checked.readBytes > 0, level >= 1)
      assert.equal(checked.readBytes === checked.packBytes, level >= 2)
    }
  })

  const seenAt = {
    'packs/': { flip: 'hash from 2', truncate: 'short from 0', remove: 'missing from 0' },
    'meta/': { flip: 'hash from 1', truncate: 'short from 0', remove: 'missing from 0' },
    'index/': { flip: 'unreadable from 0', truncate: 'unreadable from 0', remove: 'nothing' },
    'records/': { flip: 'unreadable from 1', truncate: 'unreadable from 1', remove: 'nothing' },
    'proofs/': { flip: 'unreadable from 1', truncate: 'unreadable from 1', remove: 'nothing' },
    'notes/': { flip: 'unreadable from 1', truncate: 'unreadable from 1', remove: 'nothing' },
    'gc/': { flip: 'unreadable from 0', truncate: 'unreadable from 0', remove: 'nothing' },
    'config.bak': { flip: 'unreadable from 1', truncate: 'unreadable from 1', remove: 'missing from 1' },
    config: { flip: 'unreadable from 1', truncate: 'unreadable from 1', remove: 'missing from 1' },
    'RESTORE.md': { flip: 'hash from 1', truncate: 'hash from 1', remove: 'missing from 1' },
    'restore.py': { flip: 'hash from 1', truncate: 'hash from 1', remove: 'missing from 1' },
  }
  for (const [prefix, harms] of Object.entries(seenAt)) {
    it(`sees harm to ${prefix} as soon as the level allows`, async () => {
      for (const [harm, expected] of Object.entries(harms)) {
        await using full = await createFull()
        const { test } = full
        const [object = ''] = await test.objects(prefix)
        if (harm === 'flip') await test.flipBit(object)
        if (harm === 'truncate') await test.truncate(object, prefix.startsWith('config') ? 100 : undefined)
        if (harm === 'remove') await test.remove(object)
        const [problem, , from] = expected.split(' ')
        const wanted = levels.map((level) => (from !== undefined && level >= Number(from) ? problem : undefined))
        assert.deepEqual(await problemsAtEachLevel(test, object), wanted, `${harm} ${object}`)
      }
    })
  }

  it('names the backups and streams that a lost pack takes with it', async () => {
    await using full = await createFull()
    const { test, backup } = full
    const [pack = ''] = await test.objects('packs/')
    const [before = ''] = await test.objects('packs/')
    const small = await backUp(test.repository, Buffer.from('a table of its own'))
    assert.equal(before, pack)
    await test.remove(pack)
    for (const level of [1, 2, 3] as const) {
      const { damages } = await check(test, level)
      assert.deepEqual(damages, [
        { object: pack, problem: 'missing', backups: [{ id: backup, streams: ['public.table'] }], repairable: true },
      ])
    }
    await test.remove(...(await test.objects('index/')))
    const { damages } = await check(test, 1)
    assert.deepEqual(damages, [
      {
        object: `records/${backup}`,
        problem: 'dangling',
        backups: [{ id: backup, streams: ['public.table'] }],
        repairable: false,
      },
    ])
    assert.notEqual(small, backup)
  })

  it('names only what can not be read when it reads the content of a damaged pack', async () => {
    await using test = await TestRepository.create()
    await using session = await test.repository.startSession()
    const manifest = await writeStream(session, Buffer.from('manifest'), { kind: 'meta' })
    const table = await writeStream(session, content.subarray(0, 100_000))
    const other = await writeStream(session, content.subarray(100_000))
    const first = await session.commit({ manifest, table })
    await using next = await test.repository.startSession()
    assert.deepEqual(await writeStream(next, content.subarray(100_000)), other)
    await writeStream(next, Buffer.from('manifest'), { kind: 'meta' })
    const second = await next.commit({ manifest, table: other })
    const [pack = ''] = await test.objects('packs/')
    await test.flipBit(pack, 500)
    const atLevel = async (level: CheckLevel) =>
      (await check(test, level)).damages.map((damage) => [damage.problem, damage.backups.map(({ id }) => id)])
    assert.deepEqual(await atLevel(1), [])
    assert.deepEqual(await atLevel(2), [['hash', [first.id, second.id]]])
    assert.deepEqual(await atLevel(3), [['hash', [first.id]]])
  })

  it('is satisfied once a damaged pack is condemned and its content stored again', async () => {
    await using full = await createFull()
    const { test, backup } = full
    const [pack = ''] = await test.objects('packs/')
    await test.flipBit(pack, 500)
    await test.repository.condemn([pack.slice(-64)])
    assert.equal((await check(test, 2)).damages[0]?.backups[0]?.id, backup, 'the backup still needs it')
    await backUp(test.repository)
    assert.deepEqual((await check(test, 3)).damages, [])
  })

  it('says which record was stored too late, which is no damage', async () => {
    await using full = await createFull()
    const later = new Date(Date.now() + 3700 * 1000)
    await utimes(full.test.path(`records/${full.backup}`), later, later)
    const { damages, late } = await check(full.test, 1)
    assert.deepEqual([damages, late], [[], [full.backup]])
  })

  it('misses a record that a proof tells of', async () => {
    await using full = await createFull()
    await full.test.repository.saveProof({ backup: full.backup })
    assert.deepEqual((await check(full.test, 1)).damages, [])
    const [, proof] = await full.test.objects('proofs/')
    const object = `records/${full.backup}`
    await full.test.remove(object)
    const { damages, touched } = await check(full.test, 1)
    assert.deepEqual(damages, [
      { object, problem: 'missing', backups: [{ id: full.backup, streams: [] }], repairable: false },
    ])
    assert.deepEqual(touched, [{ id: full.backup, objects: [proof] }])
  })

  it('counts a lost manifest against its pack, not against the record', async () => {
    await using full = await createFull()
    const [pack = ''] = await full.test.objects('meta/')
    await full.test.remove(pack)
    const { damages } = await check(full.test, 1)
    assert.deepEqual(
      damages.map(({ object }) => object),
      [pack],
    )
  })

  it('looks at bits without a reading key, and not at content', async () => {
    await using full = await createFull()
    const writer = full.test.key.forWritingOnly()
    assert.ok(writer)
    const repository = await openRepository(full.test.store, { keys: [writer] })
    assert.deepEqual((await checkRepository(repository, { level: 2, streamsOf })).damages, [])
    await assert.rejects(checkRepository(repository, { level: 3, streamsOf }), { code: 'key-cannot-read' })
  })
})
