import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { becomeSoleRun } from './sole-run.ts'

const moduleUrl = JSON.stringify(import.meta.resolve('./sole-run.ts'))

describe('a sole run', { timeout: 60_000 }, () => {
  it('is one at a time of each kind, also when several begin at once', async () => {
    const what = `test ${process.pid}`
    for (let round = 0; round < 3; round++) {
      const runs = await Promise.all([becomeSoleRun(what), becomeSoleRun(what), becomeSoleRun(what)])
      const held = runs.filter((run) => run !== undefined)
      assert.equal(held.length, 1)
      await using other = await becomeSoleRun(`other ${what}`)
      assert.ok(other)
      await held[0]?.[Symbol.asyncDispose]()
    }
  })

  it('is over as soon as its process is killed', async () => {
    const what = `killed ${process.pid}`
    const script = `
      const { becomeSoleRun } = await import(${moduleUrl})
      console.log(await becomeSoleRun(${JSON.stringify(what)}) === undefined ? 'other' : 'held')
      setInterval(() => {}, 1000)`
    const start = async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const [line] = await once(child.stdout, 'data')
      return { child, line: String(line) }
    }
    const { child, line } = await start()
    assert.equal(line, 'held\n')
    const second = await start()
    assert.equal(second.line, 'other\n')
    second.child.kill('SIGKILL')
    child.kill('SIGKILL')
    await once(child, 'exit')
    await using mine = await becomeSoleRun(what)
    assert.ok(mine)
  })
})
