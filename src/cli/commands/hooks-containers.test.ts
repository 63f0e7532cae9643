import assert from 'node:assert/strict'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import type { Engine } from '../../containers/engine.ts'
import { TestEngine } from '../../containers/test-engine.ts'
import { TestHost, assertFailed, until } from './test-host.ts'

describe('hooks in containers', { timeout: 300_000 }, async () => {
  const started = await TestEngine.start()
  const skip = typeof started === 'string' && started
  let engine: Engine
  let host: TestHost
  before(async () => {
    if (typeof started === 'string') return
    engine = await started.open()
    host = (await TestHost.create()).with(started.environment)
    await host.succeed('init')
    const postgres = await engine.container('travelscout-postgres')
    await postgres.becomeReady(20_000)
    await until(async () => {
      const psql = ['psql', '-U', 'travelscout', '-p', '55415', '-c', 'CREATE TABLE flights AS SELECT 1 AS id']
      return (await postgres.exec(psql)).exitCode === 0
    })
  })
  after(async () => {
    await host?.[Symbol.asyncDispose]()
    if (typeof started !== 'string') await started[Symbol.asyncDispose]()
  })

  const configure = (hooks: string) =>
    writeFile(
      host.path('pgrevive.yaml'),
      `hooks: { ${hooks} }\ndatabases: { travelscout: { url: compose://travelscout/postgres/travelscout } }\n`,
    )
  const runs = async (service: string) => (await engine.container(`travelscout-${service}`)).isRunning
  const allRun = async () => [await runs('app'), await runs('celery-worker'), await runs('celery-beat')]

  it('stop services for as long as a backup or restore takes, and run programs in others', { skip }, async () => {
    await configure(`
      before_backup: [
        { wait: { container: postgres }, timeout: 30s },
        { stop: [app, celery-worker, travelscout-celery-beat], timeout: 30s },
        { run: 'echo in $PGREVIVE_DATABASE $PGREVIVE_ACTION; echo $PATH; id -un', in: postgres },
        { run: 'touch begun; while ! [ -e go ]; do sleep 0.05; done' }]`)
    const running = await host.start('backup', '--verbose')
    await until(async () => (await readdir(host.directory)).includes('begun'))
    assert.deepEqual(await allRun(), [false, false, false])
    await writeFile(host.path('go'), '')
    const { exitCode, stderr } = await running.ended
    assert.equal(exitCode, 0, stderr)
    assert.match(stderr, /^ {2}in travelscout backup\n {2}\/usr\/local\/sbin:[^\n]*\n {2}root$/m)
    assert.deepEqual(await allRun(), [true, true, true])
  })

  it('start them again when the restore fails, and leave alone what did not run', { skip }, async () => {
    await configure(`
      before_restore: [{ stop: [app, celery-worker] }],
      on_failure: [{ run: 'echo $PGREVIVE_ERROR_CODE > failed' }]`)
    await (await engine.container('travelscout-celery-worker')).stop(0)
    const failed = await host.run('restore', 'latest', '--to', 'compose://travelscout/postgres/travelscout')
    assertFailed(failed, 'target-not-empty')
    assert.deepEqual(await allRun(), [true, false, true])
    assert.equal(await readFile(host.path('failed'), 'utf8'), 'target-not-empty\n')
    await (await engine.container('travelscout-celery-worker')).start()
  })

  it('start them again when Ctrl-C ends the run', { skip }, async () => {
    await configure(`before_backup: [{ stop: [app] }, { run: 'touch stopped; sleep 100' }]`)
    const running = await host.start('backup')
    await until(async () => (await readdir(host.directory)).includes('stopped'))
    running.child.kill('SIGINT')
    assert.equal((await running.ended).exitCode, 130)
    assert.deepEqual(await allRun(), [true, true, true])
  })

  for (const [how, timeout, exitCode] of [
    ['Ctrl-C comes', '60s', 130],
    ['its time is over', '1s', 13],
  ] as const) {
    it(`start again one that is still being stopped when ${how}`, { skip }, async () => {
      const app = await engine.container('travelscout-app') // sleeps on at SIGTERM, until SIGKILL
      const began = app.inspection.State.StartedAt
      await configure(`before_backup: [{ stop: [app], timeout: ${timeout} }]`)
      const running = await host.start('backup')
      await until(async () => (await app.again()).inspection.State.Status === 'stopping')
      if (exitCode === 130) running.child.kill('SIGINT')
      assert.equal((await running.ended).exitCode, exitCode)
      const { State } = (await app.again()).inspection
      assert.equal(State.Running, true)
      assert.notEqual(State.StartedAt, began)
    })
  }

  it('say which container there is not, and which program fails there', { skip }, async () => {
    await configure(`before_backup: [{ stop: [app, aap] }]`)
    assertFailed(await host.run('backup'), 'hook-failed', { message: /no container "aap"/, hint: /travelscout-app/ })
    assert.deepEqual(await allRun(), [true, true, true])
    await configure(`before_backup: [{ run: 'echo why >&2; exit 5', in: app }]`)
    assertFailed(await host.run('backup'), 'hook-failed', { message: / in app: it ended with exit code 5/ })
    await configure(`before_backup: [{ run: [sleep, '60'], in: app, timeout: 1s }]`)
    assertFailed(await host.run('backup'), 'hook-failed', { message: /not done within 1 s/ })
  })

  it('and doctor says which container is stopped, and how to start it', { skip }, async () => {
    await configure('')
    assert.match((await host.run('doctor')).stdout, /^ok +travelscout +PostgreSQL 15/m)
    const postgres = await engine.container('travelscout-postgres')
    await postgres.stop(5)
    const { stdout, exitCode } = await host.run('doctor')
    assert.equal(exitCode, 12)
    assert.match(stdout, /^BAD +travelscout +container-stopped /m)
    assert.match(stdout, /to mend travelscout: .*docker start travelscout-postgres/)
    await postgres.start()
  })
})
