import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { chmod, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { type Server, createServer } from 'node:http'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { loadSql } from '../../postgres/server/test-server.ts'
import type { Clock } from '../clock.ts'
import { Service } from '../service.ts'
import { ServiceBench } from '../test-service-bench.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const preload = fileURLToPath(new URL('test-shifted-time.mjs', import.meta.url))

/** What goes wrong, by the day of the simulation, from 0. */
export type Injection =
  | 'server down'
  | 'repository gone'
  | 'disk refuses'
  | 'hook fails'
  /** From noon of this day to noon two days later. */
  | 'service down'
  /** By an hour, an hour after the nightly backup. */
  | 'clock set back'

export interface MonthOptions {
  /** Midnight, in UTC, in the past. */
  readonly start: Date
  readonly days: number
  readonly injections: ReadonlyMap<number, Injection>
  readonly tell: (line: string) => void
}

/** Real time, moved: it goes on by itself, so that what comes later has a later time. */
class ShiftedClock implements Clock {
  shiftMs: number

  constructor(start: Date) {
    this.shiftMs = start.getTime() - Date.now()
  }

  now(): Date {
    return new Date(Date.now() + this.shiftMs)
  }

  every(): Disposable {
    return { [Symbol.dispose]: () => undefined }
  }
}

/** The hours of Berlin, UTC: summer time ends on 25 October 2026 at 01:00 UTC. */
const winter = Date.parse('2026-10-25T01:00:00Z')

function berlin(day: number, hour: number, start: Date): Date {
  const local = start.getTime() + day * dayMs + hour * hourMs
  const summer = local - 2 * hourMs
  return new Date(summer < winter ? summer : local - hourMs)
}

const configuration = (url: string) => `
hooks: { before_backup: [{ run: 'test ! -e hook-broken' }] }
retention: { keep_daily: 7 }
service: { reach_private: [localhost] }
objectives: { rpo: 50h, prove_every: 8d }
schedules:
  nightly: { command: backup, when: daily at 02:30, time_zone: Europe/Berlin, databases: [shop] }
  clean: { command: forget, when: daily at 04:00, time_zone: Europe/Berlin, databases: [shop] }
  space: { command: prune, when: weekly on sunday at 05:00, time_zone: Europe/Berlin }
  drill: { command: prove, when: weekly on sunday at 06:00, time_zone: Europe/Berlin, databases: [shop] }
  look: { command: check, when: weekly on monday at 06:00, time_zone: Europe/Berlin }
alerts:
  remind_every: 2w
  channels: { all: { kind: webhook, url: '${url}', least: info } }
`

export async function month(options: MonthOptions): Promise<{ runs: number; alerts: number; notices: number }> {
  await using simulation = await Simulation.begin(options)
  for (let day = 0; day < options.days; day++) await simulation.day(day)
  return simulation.end()
}

class Simulation implements AsyncDisposable {
  readonly #options: MonthOptions
  readonly #bench: ServiceBench
  readonly #clock: ShiftedClock
  readonly #receiver: Server
  readonly #realSince = Date.now()
  #service!: Service
  readonly #notices: string[] = []
  /** What the test knows without asking: when backups were made that must be there, and proven. */
  #lastBackup: number
  #lastProven: number
  #lastProof: number
  #didLastFail = false
  /** The only repository is not there, and was looked for. */
  #isAway = false
  /** `schedule time`, and `kind subject`. */
  readonly #expectedRuns: string[] = []
  readonly #expectedAlerts: string[] = []

  private constructor(options: MonthOptions, bench: ServiceBench, clock: ShiftedClock, receiver: Server) {
    this.#options = options
    this.#bench = bench
    this.#clock = clock
    this.#receiver = receiver
    this.#lastBackup = this.#lastProven = this.#lastProof = options.start.getTime()
  }

  static async begin(options: MonthOptions): Promise<Simulation> {
    const bench = await ServiceBench.start()
    const receiver = createServer()
    receiver.listen(0, 'localhost')
    await once(receiver, 'listening')
    const simulation = new Simulation(options, bench, new ShiftedClock(options.start), receiver)
    await simulation.#begin()
    return simulation
  }

  async #begin(): Promise<void> {
    const bench = this.#bench
    this.#receiver.on('request', (request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (part: string) => (body += part))
      request.on('end', () => {
        const { notice, alert } = JSON.parse(body) as { notice: string; alert: { kind: string; subject: string } }
        this.#notices.push(`${notice} ${alert.kind} ${alert.subject}`)
        response.end()
      })
    })
    const address = this.#receiver.address()
    assert.ok(address && typeof address === 'object')
    // the snapshot of a backup has the time of the server
    await chmod(bench.directory, 0o755) // for the server, which is another user
    await loadSql(
      bench.target('shop'),
      `CREATE OR REPLACE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
         $$ SELECT pg_catalog.statement_timestamp() + pg_catalog.make_interval(secs => pg_catalog.pg_read_file('${bench.path('shift')}')::float8 / 1000) $$`,
    )
    await writeFile(
      bench.configFile,
      `repositories: { local: ./backups }\ndatabases: { shop: { url: postgres:///shop } }\n${configuration(`http://localhost:${address.port}/`)}`,
    )
    await this.#writeShift()
    await this.#open()
    // it begins with a backup, and a proof of it
    for (const command of ['backup', 'prove'] as const) {
      const words = command === 'backup' ? ['shop'] : ['--database', 'shop']
      this.#service.runs.request({ command, arguments: words, databases: ['shop'], repositories: [], cause: 'request' })
      await this.#settle()
    }
    assert.deepEqual(
      this.#service.runs.list().items.map(({ state, error }) => [state, error]),
      [
        ['done', null],
        ['done', null],
      ],
    )
  }

  async #open(): Promise<void> {
    const { configFile, environment } = this.#bench
    this.#service = await Service.open({
      configFile,
      environment: {
        ...environment,
        NODE_OPTIONS: `--import ${preload}`,
        PGREVIVE_TEST_SHIFT_FILE: this.#bench.path('shift'),
        PGREVIVE_TEST_REAL_SINCE: String(this.#realSince),
      },
      homeDirectory: this.#bench.path('home'),
      stateDirectory: this.#bench.path('state'),
      clock: this.#clock,
      tell: ({ level, event, message }) => {
        if (level === 'error' && event !== 'run') this.#options.tell(`${event}: ${message}`)
      },
    })
    this.#service.start()
    await this.#settle()
  }

  async #writeShift(): Promise<void> {
    await writeFile(this.#bench.path('shift'), String(this.#clock.shiftMs))
  }

  /** Goes to a moment, and lets everything happen that is due. */
  async #goTo(time: Date): Promise<void> {
    this.#clock.shiftMs += time.getTime() - this.#clock.now().getTime()
    await this.#writeShift()
    await this.#settle()
  }

  async #settle(): Promise<void> {
    for (;;) {
      await this.#service.tick()
      await this.#service.watch.settled()
      const { items } = this.#service.runs.list({ states: ['waiting', 'running'] })
      const looks = this.#service.runs.list({ states: ['waiting', 'running'], command: 'list' }).items
      if (items.length + looks.length === 0) break
      await delay(50)
    }
    await this.#dateFiles()
    // what ended last is judged, and told
    await this.#service.tick()
    await this.#service.watch.settled()
  }

  /** Gives what was written the time of the simulation. */
  async #dateFiles(): Promise<void> {
    const folder = this.#bench.path('backups')
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      const { mtimeMs } = await stat(path)
      if (mtimeMs < this.#realSince) continue
      const time = new Date(mtimeMs + this.#clock.shiftMs)
      await utimes(path, time, time)
    }
  }

  async day(day: number): Promise<void> {
    const { start, injections, tell } = this.#options
    const injection = injections.get(day)
    const isDown = injections.get(day - 1) === 'service down' || injections.get(day - 2) === 'service down'
    const at = (hour: number) => berlin(day, hour, start)
    tell(`${at(12).toISOString().slice(0, 10)} ${injection ?? ''}`)
    if (!isDown) {
      await this.#night(at, injection)
      await this.#goTo(at(12))
      this.#check()
      if (injection === 'service down') await this.#service.close()
      return
    }
    if (injections.get(day - 2) !== 'service down') return
    await this.#wakeUp(day, at)
  }

  /** The nightly backup and what follows it. */
  async #night(at: (hour: number) => Date, injection: Injection | undefined): Promise<void> {
    const weekday = at(12).getUTCDay()
    await this.#goTo(at(2))
    this.#check()
    const undo = await this.#inject(injection)
    await this.#goTo(at(2.5))
    this.#expectedRuns.push(`nightly ${at(2.5).toISOString()}`)
    this.#didLastFail = undo !== undefined
    if (!undo) this.#lastBackup = at(2.5).getTime()
    if (undo) this.#expectedAlerts.push(expectedAlert(injection))
    this.#isAway = injection === 'repository gone'
    this.#check()
    await undo?.()
    this.#isAway = false
    this.#check()
    if (injection === 'clock set back') {
      await this.#goTo(at(3.5))
      await this.#goTo(at(2.25))
      await this.#goTo(at(2.75))
      this.#check()
    }
    await this.#goTo(at(4))
    this.#expectedRuns.push(`clean ${at(4).toISOString()}`)
    if (weekday === 0) {
      await this.#goTo(at(5))
      await this.#goTo(at(6))
      this.#expectedRuns.push(`space ${at(5).toISOString()}`, `drill ${at(6).toISOString()}`)
      this.#proven(at(6))
    }
    if (weekday === 1) {
      await this.#goTo(at(6))
      this.#expectedRuns.push(`look ${at(6).toISOString()}`)
    }
    this.#check()
  }

  #proven(at: Date): void {
    this.#lastProof = at.getTime()
    this.#lastProven = Math.max(this.#lastProven, this.#lastBackup)
  }

  /** Returns what mends it. */
  async #inject(injection: Injection | undefined): Promise<(() => Promise<void>) | undefined> {
    const { path, server } = { path: (name: string) => this.#bench.path(name), server: this.#bench.server }
    if (injection === 'server down') {
      const [host] = server.target.hosts
      assert.ok(host)
      const socket = join(host.host, `.s.PGSQL.${host.port}`)
      await rename(socket, `${socket}.away`)
      return () => rename(`${socket}.away`, socket)
    }
    if (injection === 'repository gone') {
      await rename(path('backups'), path('away'))
      return async () => {
        await rename(path('away'), path('backups'))
        await this.#service.catalog.refresh()
      }
    }
    if (injection === 'disk refuses') {
      // nothing can be written there, whoever tries; root is refused by no mode
      const folder = join(path('backups'), 'tmp')
      await rm(folder, { recursive: true, force: true })
      await writeFile(folder, '')
      return async () => rm(folder)
    }
    if (injection === 'hook fails') {
      await writeFile(path('hook-broken'), '')
      return async () => rm(path('hook-broken'))
    }
    return undefined
  }

  /** After two days in which no service ran. */
  async #wakeUp(day: number, at: (hour: number) => Date): Promise<void> {
    const { start } = this.#options
    this.#clock.shiftMs += at(12).getTime() - this.#clock.now().getTime()
    await this.#writeShift()
    await this.#open()
    await this.#goTo(at(13))
    const missed = [`nightly ${at(2.5).toISOString()}`, `clean ${at(4).toISOString()}`]
    for (const back of [0, 1]) {
      const then = (hour: number) => berlin(day - back, hour, start)
      const weekday = then(12).getUTCDay()
      if (weekday === 0) missed.push(`space ${then(5).toISOString()}`, `drill ${then(6).toISOString()}`)
      if (weekday === 1) missed.push(`look ${then(6).toISOString()}`)
    }
    this.#expectedRuns.push(...missed)
    this.#expectedAlerts.push(...missed.map((one) => `run-missed ${one.split(' ')[0]}`), 'objective shop')
    this.#lastBackup = at(12).getTime()
    this.#didLastFail = false
    if (missed.some((one) => one.startsWith('drill'))) this.#proven(at(12))
    this.#check()
  }

  /** What the service says of the database is what the test knows. */
  #check(): void {
    const now = this.#clock.now()
    const { state, restorableTo, reasons } = this.#service.watch.judge.judge('shop', now)
    const isOld = now.getTime() > this.#lastBackup + 50 * hourMs
    const isUnproven = now.getTime() > this.#lastProof + 8 * dayMs
    const expected = isOld || isUnproven || this.#isAway ? 'failing' : this.#didLastFail ? 'at-risk' : 'ok'
    assert.equal(state, expected, `${now.toISOString()}: ${JSON.stringify(reasons)}`)
    if (this.#isAway) return assert.equal(restorableTo, null, 'there is nowhere to restore it from')
    const wrongMs = Math.abs((restorableTo?.getTime() ?? 0) - this.#lastProven)
    assert.ok(
      wrongMs < 20 * minuteMs,
      `${now.toISOString()}: ${restorableTo?.toISOString()} is not ${new Date(this.#lastProven).toISOString()}`,
    )
  }

  /** Every schedule ran when it should, and every failure was told once, and its end once. */
  end(): { runs: number; alerts: number; notices: number } {
    const { runs, alerts } = this.#service
    const ran = runs
      .list({ limit: 10_000 })
      .items.flatMap((run) => (run.schedule === null ? [] : [`${run.schedule} ${run.dueAt}`]))
    assert.deepEqual(ran.toSorted(), this.#expectedRuns.toSorted())
    const all = alerts.list({ limit: 10_000 })
    const raised = all.map(({ kind, subject }) => `${kind} ${subject}`)
    assert.deepEqual(raised.toSorted(), this.#expectedAlerts.toSorted())
    assert.deepEqual(
      all.filter(({ closedAt }) => closedAt === null),
      [],
    )
    const expected = this.#expectedAlerts.flatMap((one) => [`opened ${one}`, `closed ${one}`])
    assert.deepEqual(this.#notices.toSorted(), expected.toSorted())
    return { runs: ran.length, alerts: all.length, notices: this.#notices.length }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service.close().catch(() => undefined)
    this.#receiver.close()
    await this.#bench[Symbol.asyncDispose]()
    rmSync(this.#bench.directory, { recursive: true, force: true })
  }
}

function expectedAlert(injection: Injection | undefined): string {
  if (injection === 'hook fails') return 'hook-failed nightly'
  return injection === 'repository gone' ? 'repository local' : 'run-failed nightly'
}
