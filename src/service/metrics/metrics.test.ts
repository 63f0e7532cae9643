import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { parse } from 'yaml'
import { z } from 'zod'
import { Service } from '../service.ts'
import { ServiceBench, until } from '../test-service-bench.ts'
import { metricsText } from './metrics.ts'

describe('metrics', { timeout: 120_000 }, () => {
  let bench: ServiceBench
  let service: Service
  let text: string
  let directory: string

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'pgrevive-metrics-'))
    bench = await ServiceBench.start()
    await bench.configure('schedules: { nightly: { command: backup, when: daily at 02:00 } }')
    bench.pgrevive('backup', 'shop')
    bench.pgrevive('prove', '--database', 'shop')
    bench.pgrevive('check')
    const { configFile, environment } = bench
    service = await Service.open({
      configFile,
      environment,
      homeDirectory: bench.path('home'),
      stateDirectory: directory,
      tell: () => undefined,
    })
    service.start()
    await until(() => service.catalog.newest('shop')?.proof)
    service.runs.request({ command: 'check', arguments: [], databases: [], repositories: [], cause: 'request' })
    await until(() => service.runs.list({ states: ['done'] }).items.length > 0)
    text = await metricsText(service)
  })
  after(async () => {
    await service?.close()
    await bench?.[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true })
  })

  function value(series: string): number {
    const line = text.split('\n').find((one) => one.startsWith(`${series} `))
    assert.ok(line, `${series} in\n${text}`)
    return Number(line.slice(series.length + 1))
  }

  it('say how fresh each database is, and how it stands', () => {
    assert.ok(value('pgrevive_database_freshness_seconds{database="shop"}') < 120)
    assert.ok(
      Math.abs(value('pgrevive_database_last_backup_timestamp_seconds{database="shop"}') - Date.now() / 1000) < 120,
    )
    assert.equal(value('pgrevive_database_state{database="shop",state="ok"}'), 1)
    assert.equal(value('pgrevive_database_state{database="app",state="failing"}'), 1)
    assert.equal(value('pgrevive_database_last_backup_rows{database="shop"}'), 1000)
    assert.equal(value('pgrevive_repository_reachable{repository="local"}'), 1)
    assert.ok(value('pgrevive_repository_stored_bytes{repository="local"}') > 1000)
    assert.equal(value('pgrevive_runs{command="check",state="done"}'), 1)
    assert.equal(value('pgrevive_alerts_open{severity="critical"}'), 0)
  })

  it('have the names that dashboard and rules use', async () => {
    const file = (path: string) => readFile(new URL(`../../../packaging/${path}`, import.meta.url), 'utf8')
    const known = new Set(Array.from(text.matchAll(/^# TYPE (\S+) gauge$/gm), ([, name]) => name))
    const dashboard = z
      .object({ panels: z.array(z.object({ targets: z.array(z.object({ expr: z.string() })) })) })
      .parse(JSON.parse(await file('grafana/pgrevive.json')))
    const rules = z
      .object({ groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })) })
      .parse(parse(await file('prometheus/alerts.yml')))
    const expressions = [
      ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
      ...rules.groups.flatMap((group) => group.rules.map(({ expr }) => expr)),
    ]
    const used = new Set(expressions.flatMap((expr) => [...expr.matchAll(/pgrevive_\w+/g)].map(([name]) => name)))
    assert.ok(used.size > 10)
    assert.deepEqual(
      [...used].filter((name) => !known.has(name)),
      [],
    )
  })

  it('can not be broken by a hostile name', async () => {
    const name = 'a"b\\c\nd{}'
    service.catalog.databases = () => [{ name, source: null, server: null, gone: false }]
    const hostile = await metricsText(service)
    assert.ok(hostile.includes('database="a\\"b\\\\c\\nd{}"'))
    assert.ok(hostile.split('\n').every((line) => /^(#.*|pgrevive_\w+(\{.*\})? \S+)?$/.test(line)))
  })
})
