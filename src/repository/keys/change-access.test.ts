import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { hasCode } from '../../core/app-error.ts'
import { checkRepository } from '../check/check-repository.ts'
import type { StreamRef } from '../chunks/stream-ref.ts'
import { streamRefSchema } from '../chunks/stream-ref.ts'
import { openRepository } from '../open-repository.ts'
import type { Repository } from '../repository.ts'
import type { CommittedRecord } from '../sessions/stored-record.ts'
import { backUp, readStream, TestRepository, writeStream } from '../test-repository.ts'
import { putChange } from './access.ts'
import { generateIdentity, recipientOf, toArmor, wrapWithPassphrase } from './age.ts'
import { changeAccess, listKeys } from './change-access.ts'
import { RepositoryKey } from './key-file.ts'
import { z } from 'zod'

const bodySchema = z.object({ stream: streamRefSchema })

async function* streamsOf(record: CommittedRecord) {
  yield { name: 'stream', stream: bodySchema.parse(record.body).stream }
}

interface Person {
  readonly identity: string
  readonly recipient: string
  /** A plain age identity, of no repository. */
  readonly key: RepositoryKey
}

async function person(kind?: 'post-quantum'): Promise<Person> {
  const identity = await generateIdentity(kind)
  return { identity, recipient: await recipientOf(identity), key: new RepositoryKey({ identities: [identity] }) }
}

const open = (test: TestRepository, key: RepositoryKey) => openRepository(test.store, { keys: [key] })

async function assertReads(repository: Repository, stream: StreamRef, content: Buffer): Promise<void> {
  assert.deepEqual(await readStream(repository, stream), content)
}

async function damages(test: TestRepository, options: { readonly repair?: boolean } = {}): Promise<string[]> {
  const { repository } = await test.reopen()
  const report = await checkRepository(repository, { level: 1, streamsOf, ...options })
  return [...report.damages, ...report.repairs].map(({ object, problem }) => `${object} ${problem}`)
}

describe('a key that comes later', () => {
  for (const kind of [undefined, 'post-quantum'] as const) {
    it(`reads alone what was written before and after (${kind ?? 'X25519'})`, async () => {
      await using test = await TestRepository.create()
      const [before, after] = [randomBytes(30_000), randomBytes(30_000)]
      const { stream } = await backUp(test.repository, before)
      const { stream: second } = await backUp((await test.reopen()).repository, before.subarray(100))
      const other = await person(kind)
      await assert.rejects(open(test, other.key), { code: 'key-wrong' })
      const { handedOver } = await changeAccess(test.repository, {
        added: [{ key: other.recipient, label: 'ann' }],
        removed: [],
      })
      assert.deepEqual(handedOver, { dataKeys: 2, unreadable: 0 })
      const { stream: later } = await backUp((await test.reopen()).repository, after)
      const reading = await open(test, other.key)
      await assertReads(reading, stream, before)
      await assertReads(reading, second, before.subarray(100))
      await assertReads(reading, later, after)
      await assertReads((await test.reopen()).repository, later, after)
      assert.deepEqual(
        (await listKeys(reading)).map(({ key, kind: of, label, isInEffect }) => [key, of, label, isInEffect]),
        [
          [test.repository.recipients[0], 'X25519', undefined, true],
          [other.recipient, kind ?? 'X25519', 'ann', true],
        ],
      )
      assert.deepEqual(await damages(test), [])
      // who was given access gives it on, to what was written before it too
      const third = await person()
      await changeAccess(reading, { added: [{ key: third.recipient }], removed: [] })
      for (const [ref, content] of [
        [stream, before],
        [later, after],
      ] as const) {
        await assertReads(await open(test, third.key), ref, content)
      }
    })
  }

  it('reads what a session writes that had begun before, whenever that commits', async () => {
    await using test = await TestRepository.create()
    const [first, second] = [randomBytes(30_000), randomBytes(30_000)]
    const other = await person()
    await using session = await test.repository.startSession()
    const stream = await writeStream(session, first)
    await using stored = await (await test.reopen()).repository.startSession()
    const storedStream = await writeStream(stored, second)
    await stored.store() // its packs are there, and it is not committed
    await changeAccess((await test.reopen()).repository, { added: [{ key: other.recipient }], removed: [] })
    await session.commit({ stream })
    await stored.commit({ stream: storedStream })
    await assertReads(await open(test, other.key), stream, first)
    await assertReads(await open(test, other.key), storedStream, second)
  })

  it('may be a passphrase', async () => {
    await using test = await TestRepository.create()
    const content = randomBytes(30_000)
    const { stream } = await backUp(test.repository, content)
    const { identity, recipient } = await person()
    const passphrase = await toArmor(await wrapWithPassphrase(identity, 'open sesame'))
    await changeAccess(test.repository, { added: [{ key: recipient, passphrase }], removed: [] })
    const byPassphrase = () => openRepository(test.store, { keys: [], passphrase: 'open sesame' })
    const reading = await byPassphrase()
    await assertReads(reading, stream, content)
    const keys = await listKeys(reading)
    assert.deepEqual(
      keys.map(({ hasPassphrase }) => hasPassphrase),
      [false, true],
    )
    await changeAccess((await test.reopen()).repository, { added: [], removed: [recipient] })
    await assert.rejects(byPassphrase(), { code: 'key-wrong' })
  })

  it('is given by whoever reads, and by nobody else', async () => {
    await using test = await TestRepository.create()
    const writer = await open(test, test.key.forWritingOnly() ?? assert.fail())
    const { recipient } = await person()
    const before = await test.objects()
    await assert.rejects(changeAccess(writer, { added: [{ key: recipient }], removed: [] }), {
      code: 'key-cannot-read',
    })
    await assert.rejects(changeAccess(test.repository, { added: [{ key: `${recipient}x` }], removed: [] }), {
      code: 'key-invalid',
    })
    assert.deepEqual(await test.objects(), before)
  })
})

describe('a key that is removed', () => {
  it('reads what it could read, and nothing that is written later', async () => {
    await using test = await TestRepository.create()
    const [before, after] = [randomBytes(30_000), randomBytes(30_000)]
    const { stream } = await backUp(test.repository, before)
    const other = await person()
    await changeAccess(test.repository, { added: [{ key: other.recipient }], removed: [] })
    const reading = await open(test, other.key)
    await changeAccess(reading, { added: [], removed: [...test.repository.recipients] })
    const { stream: later } = await backUp(await open(test, other.key), after)
    await assertReads(await open(test, other.key), stream, before)
    await assertReads(await open(test, other.key), later, after)
    const old = await open(test, test.key) // a key file: it holds R
    assert.equal(await old.canRead(), false)
    await assertReads(old, stream, before)
    await assert.rejects(readStream(old, later), { code: 'key-cannot-read' })
    await assert.rejects(changeAccess(old, { added: [{ key: test.repository.recipients[0] ?? '' }], removed: [] }), {
      code: 'key-cannot-read',
    })
    const plain = new RepositoryKey({ identities: test.key.identities })
    await assert.rejects(open(test, plain), { code: 'key-wrong' })
  })

  it('is not the last one that reads, even if two are removed at once', async () => {
    await using test = await TestRepository.create()
    const [mine = ''] = test.repository.recipients
    await assert.rejects(changeAccess(test.repository, { added: [], removed: [mine] }), { code: 'key-last' })
    const other = await person()
    await assert.rejects(changeAccess(test.repository, { added: [], removed: [other.recipient] }), {
      code: 'key-unknown',
    })
    await changeAccess(test.repository, { added: [{ key: other.recipient }], removed: [] })
    const outcomes = await Promise.allSettled([
      changeAccess((await test.reopen()).repository, { added: [], removed: [mine] }),
      changeAccess(await open(test, other.key), { added: [], removed: [other.recipient] }),
    ])
    const [removed, refused] = outcomes.toSorted(({ status }) => (status === 'fulfilled' ? -1 : 1))
    assert.equal(removed?.status, 'fulfilled')
    assert.ok(refused?.status === 'rejected' && hasCode(refused.reason, 'key-last', 'key-unknown'))
    const { recipients } = await openRepository(test.store, { keys: [test.key, other.key] })
    assert.equal(recipients.length, 1)
    assert.deepEqual(await damages(test), [])
  })
})

describe('changes of access', () => {
  it('are not lost when many are made at once', async () => {
    await using test = await TestRepository.create()
    const content = randomBytes(30_000)
    const { stream } = await backUp(test.repository, content)
    const people = await Promise.all(Array.from({ length: 8 }, () => person()))
    await Promise.all(
      people.map(async ({ recipient }) =>
        changeAccess((await test.reopen()).repository, { added: [{ key: recipient }], removed: [] }),
      ),
    )
    for (const { key } of people) await assertReads(await open(test, key), stream, content)
    assert.deepEqual(await damages(test), [])
  })

  it('that were stopped half-way leave the repository as it was, are told by check, and finished by the next or a repair', async () => {
    for (const finish of ['repair', 'change'] as const) {
      await using test = await TestRepository.create()
      const content = randomBytes(30_000)
      const { stream } = await backUp(test.repository, content)
      const [stopped, next] = [await person(), await person()]
      await putChange(test.repository.context, { added: [{ key: stopped.recipient }], removed: [] })
      await assertReads((await test.reopen()).repository, stream, content)
      assert.deepEqual(
        (await listKeys(test.repository)).map(({ isInEffect }) => isInEffect),
        [true, false],
      )
      assert.deepEqual(await damages(test), ['config outdated', 'config.bak outdated'])
      if (finish === 'repair') {
        await damages(test, { repair: true })
        await backUp((await test.reopen()).repository, content)
      } else await changeAccess(test.repository, { added: [{ key: next.recipient }], removed: [] })
      assert.deepEqual(await damages(test), [])
      const reading = await open(test, stopped.key)
      if (finish === 'change') await assertReads(reading, stream, content)
    }
  })

  it('survive the loss of config and of its copy, one at a time', async () => {
    await using test = await TestRepository.create()
    const other = await person()
    await changeAccess(test.repository, { added: [{ key: other.recipient }], removed: [] })
    for (const object of ['config', 'config.bak']) {
      await test.flipBit(object)
      assert.equal(await (await open(test, other.key)).canRead(), true)
      await damages(test, { repair: true })
      assert.deepEqual(await damages(test), [])
    }
  })

  it('are repaired: data keys that were handed over are so again', async () => {
    await using test = await TestRepository.create()
    const content = randomBytes(30_000)
    const { stream } = await backUp(test.repository, content)
    const other = await person()
    await changeAccess(test.repository, { added: [{ key: other.recipient }], removed: [] })
    const [object = ''] = await test.objects('keys/')
    await test.flipBit(object)
    await assert.rejects(readStream(await open(test, other.key), stream), { code: 'key-wrong' })
    assert.deepEqual(await damages(test), [`${object} unreadable`])
    await damages(test, { repair: true })
    assert.deepEqual(await damages(test), [])
    await assertReads(await open(test, other.key), stream, content)
  })
})
