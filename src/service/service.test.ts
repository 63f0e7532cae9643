import assert from 'node:assert/strict'
import { rename, rm, writeFile } from 'node:fs/promises'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { loadSql } from '../postgres/server/test-server.ts'
import type { ServiceEvent } from '../shapes/service.ts'
import { Service, type ServiceLine } from './service.ts'
import { ServiceBench, until } from './test-service-bench.ts'

describe('the service', { timeout: 120_000 }, () => {
  let bench: ServiceBench
  let service: Service
  let lines: ServiceLine[]
  let events: ServiceEvent[]

  before(async () => {
    bench = await ServiceBench.start()
  })
  after(() => bench?.[Symbol.asyncDispose]())
  beforeEach(() => bench.configure())
  afterEach(() => service?.close())

  async function open(): Promise<void> {
    lines = []
    events = []
    service = await Service.open({
      configFile: bench.configFile,
      environment: { ...bench.environment, PGREVIVE_REPO: '/nowhere' },
      homeDirectory: bench.path('home'),
      stateDirectory: bench.path('state'),
      tell: (line) => lines.push(line),
    })
    service.events.on('event', (event) => events.push(event))
    service.start()
  }

  it('knows what the repositories hold, and what has come since', async () => {
    bench.pgrevive('backup', 'shop')
    await open()
    await until(() => service.catalog.newest('shop'))
    assert.deepEqual(
      service.catalog.databases().map(({ name, gone }) => [name, gone]),
      [
        ['shop', false],
        ['app', false],
      ],
    )
    const [repository] = service.catalog.repositories()
    assert.ok(repository)
    const { name, kind, reachable, error, backups, growth, dedup, compression } = repository
    assert.deepEqual([name, kind, reachable, error, backups, growth.length], ['local', 'directory', true, null, 1, 1])
    assert.ok(dedup !== null && compression !== null && dedup > 0 && compression > 0)
    const run = service.runs.request({
      command: 'backup',
      arguments: ['--', 'app'],
      databases: ['app'],
      repositories: [],
      cause: 'request',
    })
    const found = await until(() => service.catalog.newest('app'))
    assert.deepEqual(service.runs.get(run.id)?.backups, [found.id])
    assert.deepEqual(found.proof, null)
    assert.equal(service.catalog.backup(found.id)?.id, found.id)
    bench.pgrevive('prove', found.id)
    await service.catalog.refresh()
    assert.equal(service.catalog.newest('app')?.proof?.outcome, 'proven')
    for (const kind of ['run', 'progress', 'log', 'changed'])
      assert.ok(
        events.some((event) => event.kind === kind),
        kind,
      )
    assert.ok(lines.every(({ level }) => level === 'info'))
  })

  it('remembers what a repository held that can not be reached now', async () => {
    await open()
    await service.catalog.refresh()
    const { length } = service.catalog.backups('shop')
    assert.ok(length > 0)
    const judged = () => service.watch.judge.judge('app', new Date())
    assert.ok(judged().restorableTo)
    await rename(bench.path('backups'), bench.path('elsewhere'))
    await service.catalog.refresh()
    assert.deepEqual([judged().restorableTo, judged().state], [null, 'failing'], 'it can not be restored now')
    service.watch.tick(new Date(Date.now() + 60_000))
    const [alert] = service.alerts.openOf('repository')
    assert.equal(alert?.severity, 'critical')
    assert.match(alert?.text ?? '', /; shop, app can be restored from nowhere else$/)
    const [repository] = service.catalog.repositories()
    assert.deepEqual([repository?.reachable, repository?.error?.code], [false, 'store-missing'])
    assert.equal(service.catalog.backups('shop').length, length)
    await rename(bench.path('elsewhere'), bench.path('backups'))
    await service.catalog.refresh()
    assert.deepEqual(service.catalog.repositories()[0]?.reachable, true)
    assert.ok(judged().restorableTo)
    service.watch.tick(new Date(Date.now() + 120_000))
    assert.deepEqual(service.alerts.openOf('repository'), [])
  })

  it('takes what a restore in place has saved for backups of that database, not for one that is gone', async () => {
    await open()
    await service.catalog.refresh()
    const { length } = service.catalog.backups('shop')
    bench.pgrevive('restore', 'latest:shop', '--in-place', '--to=shop', '--confirm=shop')
    await service.catalog.refresh()
    assert.deepEqual(
      service.catalog.databases().map(({ name }) => name),
      ['shop', 'app'],
    )
    const [saved] = service.catalog.setAside('shop')
    assert.match(saved?.database ?? '', /^shop_before_\d{8}_\d{6}$/)
    assert.equal(service.catalog.backups('shop').length, length, 'and it is not the latest of shop')
    bench.pgrevive('restore', '--finish', '--to=shop', '--no-safety-backup')
  })

  it('finds databases that come to its servers, and sees them go', async () => {
    await bench.configure(`servers: { main: { url: postgres:///postgres, include: ['new*'] } }`)
    await open()
    const names = () =>
      service.catalog.databases().flatMap(({ name, server, gone }) => (server === null ? [] : [[name, gone]]))
    await service.catalog.discover()
    assert.deepEqual(names(), [])
    await loadSql(bench.server.target, 'CREATE DATABASE newcomer TEMPLATE template0')
    await service.catalog.discover()
    assert.deepEqual(names(), [['main/newcomer', false]])
    await loadSql(bench.server.target, 'DROP DATABASE newcomer')
    await service.catalog.discover()
    assert.deepEqual(names(), [['main/newcomer', true]])
    await bench.configure()
    await service.lookAtConfig()
    assert.deepEqual(names(), [])
  })

  it('takes a change of pgrevive.yaml at once, and none that is wrong', async () => {
    await open()
    await bench.configure('service: { at_once: 7 }')
    await until(() => service.config.service.atOnce === 7)
    await writeFile(bench.configFile, 'databases: 7\n')
    await until(() => service.configProblem)
    assert.equal(service.config.service.atOnce, 7)
    assert.ok(lines.some(({ level, event }) => level === 'error' && event === 'configuration'))
    await bench.configure()
    await until(() => service.configProblem === undefined && service.config.service.atOnce === 2)
  })

  it('starts without pgrevive.yaml, and takes the first one', async () => {
    await rm(bench.configFile)
    await open()
    await service.tick()
    assert.deepEqual([service.config.repositories, service.catalog.databases().filter(({ gone }) => !gone)], [[], []])
    await bench.configure()
    await until(() => service.config.repositories.length === 1)
    await until(() => service.catalog.newest('shop'))
  })
})
