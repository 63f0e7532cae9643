import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { Inventory } from '../packs/inventory.ts'
import { streamsOf } from '../prune/test-prune.ts'
import { TestRepository, writeStream } from '../test-repository.ts'
import { checkRepository } from './check-repository.ts'
import { type CheckedPart, choosePart } from './check-part.ts'

/** A repository with so many data packs, and their keys in the order of a round. */
async function createPacks(count: number) {
  const test = await TestRepository.create()
  for (let number = 0; number < count; number++) await addPack(test, `pack ${number}`)
  return { test, keys: await packsOf(test), [Symbol.asyncDispose]: () => test[Symbol.asyncDispose]() }
}

async function addPack({ repository }: TestRepository, seed: string): Promise<void> {
  await using session = await repository.startSession()
  const rows = Array.from({ length: 1000 }, (_, row) => createHash('sha512').update(`${seed} ${row}`).digest('hex'))
  const stream = await writeStream(session, Buffer.from(rows.join('\n')))
  await session.commit({ stream })
}

const packsOf = async (test: TestRepository) =>
  (await test.objects('packs/')).toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
const nameOf = (key: string) => key.replace(/.*\//, '')

/** Reads the next part of a round. */
async function readPart(test: TestRepository, budgetBytes: number, before?: CheckedPart) {
  const { repository } = await test.reopen()
  const part = { budgetBytes, after: before?.upTo, again: before?.damaged ?? [] }
  const report = await checkRepository(repository, { level: 2, part, streamsOf })
  assert.ok(report.part)
  return { ...report, part: report.part }
}

describe('a check by parts', () => {
  it('reads every pack once in a round, at least one each time, and no more than its budget', async () => {
    await using packs = await createPacks(5)
    const { test, keys } = packs
    const inventory = await Inventory.load(test.repository.context)
    const sizes = new Map(inventory.packs.map(({ name, sizeBytes }) => [name, sizeBytes]))
    const size = sizes.get(nameOf(keys[0] ?? '')) ?? 0
    for (const [budgetBytes, parts] of [
      [1, 5],
      [2.5 * size, 3],
      [1e9, 1],
    ] as const) {
      const read: string[] = []
      let after: string | undefined
      let count = 0
      for (let isOver = false; !isOver; count++) {
        const chosen = choosePart(inventory, { budgetBytes, after, again: [] })
        const bytes = [...chosen.names].reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0)
        assert.ok(chosen.names.size === 1 || bytes <= budgetBytes)
        read.push(...chosen.names)
        after = chosen.upTo
        isOver = after === undefined
        assert.equal(chosen.doneBytes === chosen.totalBytes, isOver)
      }
      assert.deepEqual([read, count], [keys.map(nameOf), parts])
    }
  })

  it('finds damage when its turn comes, and as long as it lasts', async () => {
    await using packs = await createPacks(4)
    const { test, keys } = packs
    const [, second = '', third = ''] = keys
    await test.flipBit(second)
    const found: string[][] = []
    let part: CheckedPart | undefined
    for (let turn = 0; turn < 4; turn++) {
      const report = await readPart(test, 1, part)
      assert.deepEqual(report.touched.length, report.damages.length)
      found.push(report.damages.map(({ object }) => object))
      part = report.part
      if (turn === 2) await test.flipBit(second) // it is whole again
    }
    assert.deepEqual(found, [[], [second], [second], []])
    assert.deepEqual([part?.upTo, part?.damaged], [undefined, []])
    // what is missing shows without being read
    await test.remove(third)
    assert.deepEqual(
      (await readPart(test, 1)).damages.map(({ object }) => object),
      [third],
    )
  })

  it('goes on where it was when packs have come or gone', async () => {
    await using packs = await createPacks(4)
    const { test, keys } = packs
    const { part } = await readPart(test, 1)
    const { part: second } = await readPart(test, 1, part)
    assert.equal(second.upTo, nameOf(keys[1] ?? ''))
    await test.remove(keys[1] ?? '')
    await addPack(test, 'a later one')
    const later = (await packsOf(test)).map(nameOf).filter((name) => name > (second.upTo ?? ''))
    const read: (string | undefined)[] = []
    for (let next: CheckedPart | undefined = second; next?.upTo !== undefined; read.push(next?.upTo)) {
      next = (await readPart(test, 1, next)).part
    }
    assert.deepEqual(read, [...later.slice(0, -1), undefined])
  })
})
