import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { userInfo } from 'node:os'
import { TestSftpServer } from '../store/sftp/test-sftp-server.ts'
import { Connection } from '../postgres/wire/connection.ts'
import { parseContainerUrl } from './container-reference.ts'
import { Engine } from './engine.ts'
import { findWays, reachContainer } from './reach-container.ts'
import { surveyContainer } from './survey.ts'
import { TestEngine } from './test-engine.ts'

const surroundings = { environment: {}, homeDirectory: '/nonexistent' }
const url = 'docker://travelscout-postgres/travelscout'

describe('containers', async () => {
  const started = await TestEngine.start()
  const skip = typeof started === 'string' && started
  let engine: Engine
  before(async () => {
    if (typeof started !== 'string') engine = await started.open()
  })
  after(async () => {
    if (typeof started !== 'string') await started[Symbol.asyncDispose]()
  })
  const reach = (text: string, environment = {}) =>
    reachContainer(engine, parseContainerUrl(text), { ...surroundings, environment })

  it('tell who to connect as, and where, by name or by service', { skip }, async () => {
    for (const text of [
      url,
      'docker://travelscout-postgres',
      'podman://travelscout-postgres/',
      'compose://travelscout/postgres/travelscout',
    ]) {
      const { target, way } = await reach(text, { PGUSER: 'somebody', PGDATABASE: 'other', PGHOST: 'elsewhere' })
      assert.equal(way, "by port 55415 of the host's network", text)
      assert.deepEqual(
        [target.user, target.database, target.hosts[0]?.host],
        ['travelscout', 'travelscout', 'travelscout-postgres'],
      )
      await using connection = await Connection.connect(target)
      assert.deepEqual(await connection.query('SELECT current_user, current_database()'), [
        ['travelscout', 'travelscout'],
      ])
    }
  })

  it('believe an explicit user and password more than themselves', { skip }, async () => {
    const [host] = (await reach(url)).target.hosts
    assert.ok(host)
    assert.equal((await reach(url)).target.password(host), 'travelscout_password')
    assert.equal((await reach(url, { PGPASSWORD: 'mine' })).target.password(host), 'mine')
    const { target } = await reach('docker://reader:its%20own@travelscout-postgres/travelscout')
    assert.deepEqual([target.user, target.password(host)], ['reader', 'its own'])
    // the container's password is that of its own user
    assert.equal((await reach('docker://reader@travelscout-postgres/travelscout')).target.password(host), undefined)
    await assert.rejects(Connection.connect(target), { code: 'authentication-failed' })
  })

  it('carry a session through every program that can, with rows both ways, a cancel and an end', { skip }, async () => {
    const { container, target } = await reach(url)
    await using watcher = await Connection.connect(target)
    const ways = findWays(container, await surveyContainer(container)).filter(({ host }) => host.connect)
    assert.deepEqual(
      ways.map(({ words }) => words),
      [
        'by a tunnel to 127.0.0.1:55415 through perl in it',
        'by a tunnel to 127.0.0.1:55415 through bash in it',
        'by a tunnel to /var/run/postgresql/.s.PGSQL.55415 through perl in it',
        'by a tunnel to /tmp/.s.PGSQL.55415 through perl in it',
      ],
    )
    for (const { words, host } of ways.slice(0, 3)) {
      const name = `through ${words.length}${words.at(-12)}`
      const through = { ...target, hosts: [host], applicationName: name }
      {
        await using connection = await Connection.connect(through)
        await connection.query('CREATE TEMP TABLE pile (line text)')
        const line = Buffer.from(`${'x'.repeat(999)}\n`)
        await connection.copyIn(
          'COPY pile FROM STDIN',
          (async function* () {
            for (let count = 0; count < 20_000; count++) yield line
          })(),
        )
        let bytes = 0
        for await (const chunk of connection.copyOut('COPY pile TO STDOUT')) {
          bytes += chunk.length
          if (bytes < 3_000_000) await delay(1) // slower than the server
        }
        assert.equal(bytes, 20_000_000, words)
        const signal = AbortSignal.timeout(300)
        await assert.rejects(connection.query('SELECT pg_sleep(60)', { signal }), { name: 'TimeoutError' })
      }
      // cancelled and ended: neither the sleep nor the session is left
      for (let tries = 0; ; tries++) {
        const left = await watcher.query(`SELECT pid FROM pg_stat_activity WHERE application_name = '${name}'`)
        if (left.length === 0) break
        assert.ok(tries < 50, `${words}: a session is left`)
        await delay(100)
      }
    }
  })

  it('that have no server say all that was tried', { skip }, async () => {
    await assert.rejects(reach('compose://travelscout/app/travelscout'), (error) => {
      assert.match(
        String(error),
        /no PostgreSQL answers in travelscout-app: by a tunnel to 127.0.0.1:5432 through perl.*refused/,
      )
      return (error as { code?: unknown }).code === 'connection-failed'
    })
  })

  it('that are not there are named beside those that are', { skip }, async () => {
    await assert.rejects(reach('docker://postgres/x'), {
      code: 'container-missing',
      hint: 'it has travelscout-app, travelscout-celery-beat, travelscout-celery-worker, travelscout-postgres',
    })
    await assert.rejects(reach('compose://other/postgres/x'), {
      code: 'container-missing',
      hint: 'it has the projects travelscout',
    })
    await assert.rejects(reach('compose://travelscout/db/x'), {
      code: 'container-missing',
      hint: /celery-beat, celery-worker, postgres/,
    })
  })

  it('run programs, stop and start', { skip }, async () => {
    const app = await engine.serviceContainer('travelscout', 'app')
    const heard: string[] = []
    const ended = await app.exec(['sh', '-c', 'echo out; echo "err $WHO" >&2; exit 7'], {
      environment: { WHO: 'me' },
      onOutput: (bytes, from) => heard.push(`${from}: ${bytes.toString()}`),
    })
    assert.deepEqual(ended, { exitCode: 7, output: 'out\n', errors: 'err me\n' })
    assert.deepEqual(heard.toSorted(), ['errors: err me\n', 'output: out\n'])
    const many = await app.exec(['sh', '-c', 'head -c 3000000 /dev/zero | tr "\\0" x'])
    assert.equal(many.output, 'x'.repeat(2 ** 20))
    await assert.rejects(app.exec(['sleep', '60'], { signal: AbortSignal.timeout(200) }), { name: /Abort|Timeout/ })
    await app.stop(0)
    await app.stop(0)
    assert.equal((await app.again()).isRunning, false)
    await assert.rejects(app.exec(['true']), { code: 'container-stopped' })
    await assert.rejects(reach('compose://travelscout/app/x'), { code: 'container-stopped', hint: /docker start/ })
    await app.start()
    await app.start()
    await app.becomeReady(5000)
    await app.restart(0)
    assert.equal((await app.exec(['true'])).exitCode, 0)
  })

  it('of an engine behind SSH are worked in and reached as well', { skip }, async (t) => {
    const ssh = await TestSftpServer.start()
    if (typeof ssh === 'string') return t.skip(ssh)
    await using _ = ssh
    assert.ok(typeof started !== 'string')
    const socket = started.environment.DOCKER_HOST.slice('unix://'.length)
    const environment = { DOCKER_HOST: `ssh://${userInfo().username}@127.0.0.1:${ssh.port}${socket}` }
    const { signal } = new AbortController()
    await using remote = await Engine.open({ environment, homeDirectory: ssh.home, signal })
    const { container, target } = await reachContainer(remote, parseContainerUrl(url), surroundings)
    assert.equal((await container.exec(['echo', 'there'])).output, 'there\n')
    const tunnel = findWays(container, await surveyContainer(container)).find(({ host }) => host.connect)
    assert.ok(tunnel)
    await using connection = await Connection.connect({ ...target, hosts: [tunnel.host] })
    assert.deepEqual(await connection.query('SELECT length(repeat($$x$$, 3000000))'), [['3000000']])
    assert.equal((await connection.query('SELECT repeat($$x$$, 3000000)'))[0]?.[0]?.length, 3_000_000)
  })

  it('need an engine, and say what is wrong with it', async () => {
    const open = (DOCKER_HOST: string) =>
      Engine.open({ environment: { DOCKER_HOST }, homeDirectory: '/nonexistent', signal: new AbortController().signal })
    await assert.rejects(open('unix:///nowhere/engine.sock'), {
      code: 'engine-unreachable',
      hint: /systemctl start docker/,
    })
    await assert.rejects(open('tcp://127.0.0.1:1'), { code: 'engine-unreachable', message: /does not run/ })
    await assert.rejects(open('docker'), { code: 'usage-invalid' })
  })
})
