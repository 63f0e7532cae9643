import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RunCommand } from '../../shapes/run.ts'
import { chooseNext } from './queue.ts'

const limits = { atOnce: 2, atOncePerServer: 1 }

function run(id: string, exclusions: string[] = [], servers: string[] = [], command: RunCommand = 'backup') {
  return { id, command, exclusions, servers }
}

function chosen(...of: Parameters<typeof chooseNext<ReturnType<typeof run>>>): string[] {
  return chooseNext(...of).map(({ id }) => id)
}

describe('the queue of runs', () => {
  it('begins as many at once as it may, in their order', () => {
    const waiting = [run('a'), run('b'), run('c')]
    assert.deepEqual(chosen(waiting, [], limits), ['a', 'b'])
    assert.deepEqual(chosen(waiting, [run('x')], limits), ['a'])
    assert.deepEqual(chosen(waiting, [run('x'), run('y'), run('z')], limits), [])
  })

  it('lets wait what shares something with one at work, or with one that waits longer', () => {
    const shop = run('shop', ['database shop'])
    const both = run('both', ['database shop', 'database app'])
    const app = run('app', ['database app'])
    assert.deepEqual(chosen([both, app, run('else')], [shop], limits), ['else'])
    assert.deepEqual(chosen([app, both], [], limits), ['app'])
  })

  it('does not load a server with more than it may', () => {
    const waiting = [run('a', [], ['db:5432']), run('b', [], ['db:5432', 'other:5432']), run('c', [], ['other:5432'])]
    assert.deepEqual(chosen(waiting, [], limits), ['a'])
    assert.deepEqual(chosen(waiting, [], { atOnce: 9, atOncePerServer: 2 }), ['a', 'b', 'c'])
    assert.deepEqual(chosen([run('d', [], ['db:5432'])], [run('x', [], ['db:5432'])], limits), [])
  })

  it('lists repositories whatever else is at work, once at a time', () => {
    const list = run('list', ['list'], [], 'list')
    assert.deepEqual(chosen([list, { ...list, id: 'second' }], [run('x'), run('y')], limits), ['list'])
    assert.deepEqual(chosen([run('a'), run('b')], [list], limits), ['a', 'b'])
  })
})
