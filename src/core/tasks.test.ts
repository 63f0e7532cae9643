import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type Task, runTasks } from './tasks.ts'

/** A task that notes its beginning and its end, and takes a few turns of the event loop. */
function noting(log: string[], name: string, parts: Partial<Task> = {}): Task {
  return {
    needs: [],
    run: async () => {
      log.push(`+${name}`)
      for (let turns = 0; turns < 3; turns++) await turn()
      log.push(`-${name}`)
    },
    ...parts,
  }
}

describe('tasks', () => {
  it('begin in the order of the list, as many at a time as there are workers', async () => {
    const log: string[] = []
    await runTasks(
      ['a', 'b', 'c', 'd'].map((name) => noting(log, name)),
      2,
    )
    assert.deepEqual(log, ['+a', '+b', '-a', '+c', '-b', '+d', '-c', '-d'])
  })

  it('begin once what they need is done, before later ones that need nothing', async () => {
    const log: string[] = []
    const a = noting(log, 'a')
    const b = noting(log, 'b', { needs: [a] })
    await runTasks([a, b, noting(log, 'c'), noting(log, 'd')], 1)
    assert.deepEqual(log, ['+a', '-a', '+b', '-b', '+c', '-c', '+d', '-d'])
  })

  it('do not run beside those that use what they claim, while those that share do', async () => {
    const log: string[] = []
    const claiming = noting(log, 'claims', { claims: ['t'] })
    const [first, second] = ['one', 'two'].map((name) => noting(log, name, { shares: ['t'] }))
    assert.ok(first && second)
    await runTasks([claiming, first, second, noting(log, 'other')], 3)
    assert.deepEqual(log.slice(0, 2), ['+claims', '+other'])
    const order = log.filter((line) => !line.endsWith('other'))
    assert.deepEqual(order, ['+claims', '-claims', '+one', '+two', '-one', '-two'])
    log.length = 0
    await runTasks([first, claiming, second], 3)
    assert.deepEqual(log, ['+one', '+two', '-one', '-two', '+claims', '-claims'])
  })

  it('stop at the first failure, after those under way have been told to', async () => {
    const log: string[] = []
    const failing = noting(log, 'failing', { run: () => Promise.reject(new Error('no')) })
    const other = noting(log, 'other', {
      run: async ({ signal }) => {
        while (!signal.aborted) await turn()
        log.push('stopped')
      },
    })
    await assert.rejects(runTasks([other, failing, noting(log, 'later', { needs: [failing] })], 2), { message: 'no' })
    assert.deepEqual(log, ['stopped'])
  })

  it('that wait for each other are an error, not a silence', async () => {
    const missing = noting([], 'missing')
    await assert.rejects(runTasks([noting([], 'a', { needs: [missing] })], 2), /wait for each other/)
  })
})
