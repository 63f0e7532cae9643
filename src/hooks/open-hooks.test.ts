import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError } from '../core/app-error.ts'
import { processStartTime } from '../core/process-start-time.ts'
import type { HookContainers } from './hook-containers.ts'
import type { HookAction, HookLists, HookStep } from './hook-step.ts'
import { Declined, type HookContext, openHooks } from './open-hooks.ts'

describe('hooks', { timeout: 60_000 }, () => {
  let directory = ''
  before(async () => (directory = await mkdtemp(join(tmpdir(), 'pgrevive-hooks-'))))
  after(() => rm(directory, { recursive: true }))

  /** What hooks say and warn of; `containers` run. */
  function bench(lists: HookLists, { stop, containers }: { stop?: AbortSignal; containers?: Engine } = {}) {
    const said: string[] = []
    const warned: string[] = []
    const context: HookContext = {
      environment: { PATH: process.env['PATH'], HOME: '/home/ann', PGPASSWORD: 'secret', TOKEN: 'named' },
      directory,
      run: '01RUN',
      signal: stop ?? new AbortController().signal,
      containers: async () => {
        if (!containers) throw new AppError('usage-invalid', 'there is no engine')
        return containers
      },
      reachDatabase: async () => {
        throw new AppError('connection-failed', 'nobody listens')
      },
      onLine: (line) => said.push(line),
      warn: (text) => warned.push(text),
    }
    return { hooks: openHooks(lists, context), said, warned }
  }
  const facts = { database: 'shop' }
  const done = () => ({ outcome: 'done' }) as const

  it('run around the work, in order, each told what is known by then', async () => {
    const tell =
      'echo $PGREVIVE_ACTION $PGREVIVE_RUN $PGREVIVE_DATABASE ${PGREVIVE_BACKUP-none} ${PGREVIVE_OUTCOME-none}'
    const { hooks, said } = bench({
      before_backup: [run(tell), run(['printf', '%s\\n', 'a b', '$HOME'])],
      after_backup: [run(tell)],
      on_failure: [run('echo never')],
    })
    const { result, failure } = await hooks.around(
      'backup',
      facts,
      async () => said.push('work'),
      () => ({ backup: '01BACKUP', outcome: 'done' }),
    )
    assert.deepEqual([result, failure], [said.indexOf('work') + 1, undefined])
    assert.deepEqual(
      said.filter((line) => line === 'work' || line.startsWith('  ')),
      ['  backup 01RUN shop none none', '  a b', '  $HOME', 'work', '  backup 01RUN shop 01BACKUP done'],
    )
  })

  it('get of the environment what is harmless and what they name', async () => {
    const { hooks, said } = bench({ before_backup: [run('env'), run('env', { variables: ['TOKEN'] })] })
    await hooks.before('backup', facts)
    const variables = said.map((line) => line.trim())
    assert.ok(variables.includes('HOME=/home/ann'))
    assert.deepEqual(
      variables.filter((line) => /secret|named/.test(line)),
      ['TOKEN=named'],
    )
  })

  it('that fail before the work keep it from being begun, and say why', async () => {
    const { hooks, said } = bench({
      before_restore: [run('seq 30; echo to stderr >&2; exit 3'), run('echo never')],
      on_failure: [run('echo $PGREVIVE_OUTCOME $PGREVIVE_ERROR_CODE "$PGREVIVE_ERROR" | head -1')],
    })
    const failing = hooks.around('restore', facts, async () => assert.fail('begun'), done)
    await assert.rejects(failing, (error) => {
      assert.ok(error instanceof AppError)
      assert.deepEqual([error.code, error.hint?.startsWith('the restore was not begun')], ['hook-failed', true])
      assert.match(
        error.message,
        /^before_restore: run \/bin\/sh -c seq.*: it ended with exit code 3; it printed last:\n/,
      )
      assert.match(error.message, /\n30\n?/)
      assert.doesNotMatch(error.message, /\n12\n/)
      return true
    })
    assert.ok(said.includes('  to stderr'))
    assert.equal(
      said.at(-1),
      '  failed hook-failed before_restore: run /bin/sh -c seq 30; echo to stderr >&2; exit 3: it ended with exit code 3; it printed last:',
    )
  })

  it('that fail after the work leave it done', async () => {
    const { hooks } = bench({ after_backup: [run(['./not-there'])] })
    const { result, failure } = await hooks.around('backup', facts, async () => 'whole', done)
    assert.equal(result, 'whole')
    assert.equal(failure?.code, 'hook-failed')
    assert.match(
      failure.message,
      /^the backup is done and whole, and a hook is not: after_backup: run .\/not-there: it can not be run/,
    )
  })

  it('are told of a failure of the work, which stays the failure', async () => {
    const { hooks, said, warned } = bench({ on_failure: [run('echo $PGREVIVE_ERROR_CODE: $PGREVIVE_ERROR; exit 9')] })
    const error = new AppError('store-full', 'no space')
    await assert.rejects(
      hooks.around('backup', facts, () => Promise.reject(error), done),
      (thrown) => thrown === error,
    )
    assert.equal(said.at(-1), '  store-full: no space')
    assert.match(warned.join(), /^on_failure: run .* exit code 9/)
  })

  it('are told of no failure where whoever was asked declined', async () => {
    const { hooks, said } = bench({ before_restore: [run('echo never')], on_failure: [run('echo never')] })
    const declined = new Declined('usage-invalid', 'another name was confirmed')
    await assert.rejects(
      hooks.aroundPart('restore', facts, () => Promise.reject(declined), done),
      (thrown) => thrown === declined,
    )
    assert.deepEqual(said, [])
  })

  it('are told of a failure without passwords, and of one of any size', async () => {
    const { hooks, said, warned } = bench({
      on_failure: [run('echo ${#PGREVIVE_ERROR} $PGREVIVE_ERROR | cut -c 1-40')],
    })
    await hooks.failed('backup', facts, new Error(`postgres://ann:secret@h/x\0 ${'é'.repeat(200_000)}`))
    assert.deepEqual(warned, [])
    assert.match(said.at(-1) ?? '', /^ {2}\d+ postgres:\/\/ann:…@h\/x é+/)
  })

  it('that take too long are ended with all that they started', async () => {
    const stubborn = `trap '' TERM; sleep 300 & echo $! > ${join(directory, 'sleeper')}; wait; sleep 300`
    const { hooks } = bench({ before_backup: [run(`(${stubborn}) & wait`, { timeoutMs: 300 })] })
    await assert.rejects(hooks.before('backup', facts), {
      code: 'hook-failed',
      message: /it was not done within 0.3 s$/,
    })
    const sleeper = Number(await readFile(join(directory, 'sleeper'), 'utf8'))
    assert.equal(await processStartTime(sleeper), undefined)
  })

  it('may leave something in the background', async () => {
    const { hooks, said } = bench({ before_backup: [run('sleep 30 & echo $!')] })
    await hooks.before('backup', facts)
    process.kill(Number(said.at(-1)), 'SIGKILL')
  })

  it('are ended when the run is stopped, and on_failure still runs', async () => {
    const stop = new AbortController()
    const { hooks, said } = bench(
      { before_backup: [run('echo begun; sleep 300')], on_failure: [run('echo $PGREVIVE_OUTCOME')] },
      { stop: stop.signal },
    )
    const running = hooks.around('backup', facts, async () => assert.fail('begun'), done)
    while (!said.includes('  begun')) await delay(5)
    stop.abort(new AppError('interrupted', 'stopped by SIGINT'))
    await assert.rejects(running, { code: 'interrupted' })
    assert.equal(said.at(-1), '  interrupted')
  })

  describe('that stop containers', () => {
    const stopAll: HookStep = step({ kind: 'stop', containers: ['app', 'worker', 'idle'] })

    it('start again what ran, and nothing else, in the reverse order', async () => {
      const containers = new Engine(['app', 'worker'])
      const { hooks } = bench({ before_restore: [stopAll] }, { containers })
      await hooks.around('restore', facts, async () => assert.deepEqual(containers.running, []), done)
      assert.deepEqual(containers.running, ['worker', 'app'])
    })

    it('leave to after_restore what it starts itself', async () => {
      const containers = new Engine(['app', 'worker'])
      const started = step({ kind: 'start', containers: ['app'] })
      const { hooks } = bench({ before_restore: [stopAll], after_restore: [started] }, { containers })
      await hooks.around('restore', facts, async () => undefined, done)
      assert.deepEqual([containers.running, containers.starts], [['app', 'worker'], 2])
    })

    for (const [name, lists, code] of [
      ['a later hook fails', { before_restore: [stopAll, run('exit 1')] }, 'hook-failed'],
      ['the work fails', { before_restore: [stopAll] }, 'restore-failed'],
    ] as const) {
      it(`start them again when ${name}`, async () => {
        const containers = new Engine(['app', 'worker'])
        const { hooks } = bench({ ...lists, on_failure: [run('exit 1')] }, { containers })
        const work = () => Promise.reject(new AppError('restore-failed', 'refused'))
        await assert.rejects(hooks.around('restore', facts, work, done), { code })
        assert.deepEqual(containers.running, ['worker', 'app'])
      })
    }

    it('start them again when a hook after the work fails, or the run is stopped', async () => {
      const containers = new Engine(['app', 'worker'])
      const { hooks } = bench({ before_restore: [stopAll], after_restore: [run('exit 1')] }, { containers })
      const { failure } = await hooks.around('restore', facts, async () => undefined, done)
      assert.deepEqual([failure?.code, containers.running], ['hook-failed', ['worker', 'app']])
      const stop = new AbortController()
      const stopped = bench({ before_restore: [stopAll] }, { containers, stop: stop.signal })
      const work = async () => {
        stop.abort(new AppError('interrupted', 'stopped by SIGTERM'))
        stop.signal.throwIfAborted()
      }
      await assert.rejects(stopped.hooks.around('restore', facts, work, done), { code: 'interrupted' })
      assert.deepEqual(containers.running, ['worker', 'app'])
    })

    it('say which could not be started again', async () => {
      const containers = new Engine(['app', 'worker'])
      containers.broken = 'worker'
      const { hooks } = bench({ before_restore: [stopAll] }, { containers })
      const { failure } = await hooks.around('restore', facts, async () => undefined, done)
      assert.match(failure?.message ?? '', /worker was stopped by a hook and can not be started again: broken/)
      assert.deepEqual(containers.running, ['app'])
    })
  })

  it('wait for a port and for a page, as long as they may', async () => {
    const closed = createServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const { port } = closed.address() as AddressInfo
    await new Promise((resolve) => closed.close(resolve))
    const waits = (what: 'tcp' | 'http' | 'database', where: string, timeoutMs: number) =>
      bench({ before_backup: [step({ kind: 'wait', until: { what, where } }, { timeoutMs })] }).hooks.before(
        'backup',
        facts,
      )
    await assert.rejects(waits('tcp', `127.0.0.1:${port}`, 400), {
      code: 'hook-failed',
      message: /wait for tcp 127.0.0.1:\d+: it was not done within 0.4 s; the last try: connect ECONNREFUSED/,
    })
    await assert.rejects(waits('database', 'shop', 100), { message: /the last try: nobody listens/ })
    let answers = 0
    const server = createHttpServer((_, response) => response.writeHead(answers++ < 2 ? 503 : 200).end())
    const waiting = Promise.all([
      waits('tcp', `127.0.0.1:${port}`, 10_000),
      waits('http', `http://127.0.0.1:${port}/`, 10_000),
    ])
    await delay(300)
    server.listen(port, '127.0.0.1')
    await waiting
    assert.equal(answers, 3)
    server.close()
  })
})

function step(action: HookAction, more: Partial<Pick<HookStep, 'timeoutMs' | 'variables'>> = {}): HookStep {
  return { ...action, timeoutMs: 20_000, variables: [], ...more }
}

function run(command: string | readonly string[], more: Parameters<typeof step>[1] = {}): HookStep {
  return step({ kind: 'run', command, container: undefined }, more)
}

/** Remembers which of its containers run, in the order in which they were started. */
class Engine implements HookContainers {
  running: string[]
  starts = 0
  broken: string | undefined

  constructor(running: readonly string[]) {
    this.running = [...running]
  }

  async find(name: string): Promise<readonly string[]> {
    return [name]
  }

  async isRunning(name: string): Promise<boolean> {
    return this.running.includes(name)
  }

  async stop(name: string): Promise<void> {
    this.running = this.running.filter((other) => other !== name)
  }

  async start(name: string): Promise<void> {
    if (name === this.broken) throw new Error('broken')
    this.starts++
    this.running.push(name)
  }

  async checkReady(name: string): Promise<void> {
    if (!this.running.includes(name)) throw new Error(`${name} does not run`)
  }

  async run(): Promise<number> {
    return 0
  }
}
