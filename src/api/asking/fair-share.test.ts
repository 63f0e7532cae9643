import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { describe, it } from 'node:test'
import { FairShare } from './fair-share.ts'

describe('a share of what a few can do at a time', () => {
  it('is there for everybody, however much one asks for', async () => {
    const shares = new FairShare()
    const began: string[] = []
    const held: Disposable[] = []
    const ask = async (person: string) => {
      const share = await shares.take(person)
      began.push(person)
      held.push(share)
    }
    const asked = Array.from({ length: 20 }, () => ask('eve'))
    const answers = Promise.allSettled(asked)
    await setImmediate()
    assert.deepEqual(began, ['eve', 'eve'])
    const others = ['ann', 'bob'].map(ask)
    await setImmediate()
    assert.deepEqual(began, ['eve', 'eve', 'ann'])
    held.shift()?.[Symbol.dispose]()
    await setImmediate()
    assert.deepEqual(began, ['eve', 'eve', 'ann', 'bob'])
    for (let left = 14; left > 0; left--) {
      held.shift()?.[Symbol.dispose]()
      await setImmediate()
    }
    await Promise.all(others)
    const refused = (await answers).filter(({ status }) => status === 'rejected')
    assert.deepEqual([refused.length, began.filter((person) => person === 'eve').length], [6, 14])
  })
})
