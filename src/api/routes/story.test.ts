import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { addedDatabase, connectionTest, databaseSummary, restoreState } from '../../shapes/database.ts'
import { issuedToken } from '../../shapes/access.ts'
import { page } from '../../shapes/common.ts'
import { run, runDetail } from '../../shapes/run.ts'
import { schedulePreview } from '../../shapes/schedule.ts'
import { overview } from '../../shapes/service.ts'
import { type TestClient, TestApi, codeOf } from '../test-api.ts'

/** What a new user does, through the API. */
describe('from nothing to a backup', () => {
  let server: TestServer
  let port = 0
  let api: TestApi
  let admin: TestClient
  const secret = 'a password of the database'

  before(async () => {
    port = await freePort()
    server = await startTestServer({ settings: { listen_addresses: '127.0.0.1', port: String(port) } })
    const [host] = server.target.hosts
    const target = { ...server.target, hosts: [{ host: host?.host ?? '', port }] }
    await loadSql(target, `CREATE ROLE backup SUPERUSER LOGIN PASSWORD '${secret}'`)
    await loadSql(target, 'CREATE DATABASE shop TEMPLATE template0')
    await loadSql({ ...target, database: 'shop' }, 'CREATE TABLE orders AS SELECT generate_series(1, 100) AS id')
    api = await TestApi.open()
    api.service.start()
    admin = await api.person('admin')
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    await api[Symbol.asyncDispose]()
  })

  const url = (database = 'shop') => `postgres://backup:${encodeURIComponent(secret)}@127.0.0.1:${port}/${database}`

  async function hasRun(id: string): Promise<void> {
    for (;;) {
      const { endedAt, state, error } = runDetail.parse((await admin.ask('GET', `/api/runs/${id}`)).body)
      if (endedAt !== null) return assert.deepEqual([state, error], ['done', null])
      await delay(50)
    }
  }

  it('a database is tried, and what is wrong is told', async () => {
    const tried = connectionTest.parse((await admin.ask('POST', '/api/databases/test', { url: url() })).body)
    assert.deepEqual([tried.ok, tried.database, tried.tables, tried.error], [true, 'shop', 1, null])
    const missing = connectionTest.parse((await admin.ask('POST', '/api/databases/test', { url: url('nothing') })).body)
    assert.deepEqual([missing.ok, missing.error?.code], [false, 'database-missing'])
  })

  it('it is added, with a repository, and no password is anywhere but in its own file', async () => {
    const answer = await admin.ask('POST', '/api/databases', { url: url() })
    assert.equal(answer.status, 200, answer.text)
    const added = addedDatabase.parse(answer.body)
    assert.match(added.recoveryKit ?? '', /AGE-SECRET-KEY/)
    const file = join(api.directory, 'pgrevive.yaml')
    const written = await readFile(file, 'utf8')
    assert.doesNotMatch(written, /a password|a%20password/)
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    const kept = join(api.directory, 'pgrevive.secrets', 'shop-password')
    assert.equal(await readFile(kept, 'utf8'), `${secret}\n`)
    assert.deepEqual([(await stat(kept)).mode & 0o777, (await stat(join(kept, '..'))).mode & 0o777], [0o600, 0o700])
    const audit = JSON.stringify(api.server.room.audit.list({ before: undefined, limit: 100 }))
    assert.doesNotMatch(audit, /a password|a%20password/)
    assert.equal(codeOf(await admin.ask('POST', '/api/databases', { url: url() })), 'request-conflict')
  })

  it('the password of the service itself is for no database that somebody enters', async () => {
    await using own = await TestApi.open({ environment: { PGPASSWORD: secret } })
    await mkdir(join(own.directory, 'home'))
    await writeFile(join(own.directory, 'home', '.pgpass'), `*:*:*:*:${secret}\n`, { mode: 0o600 })
    const boss = await own.person('admin')
    const bare = { url: `postgres://backup@127.0.0.1:${port}/shop` }
    const tried = connectionTest.parse((await boss.ask('POST', '/api/databases/test', bare)).body)
    assert.deepEqual([tried.ok, tried.error?.code], [false, 'authentication-failed'])
    assert.notEqual((await boss.ask('POST', '/api/databases', bare)).status, 200)
    const entered = { ...bare, password: secret }
    assert.equal(connectionTest.parse((await boss.ask('POST', '/api/databases/test', entered)).body).ok, true)
  })

  it('its password is another one, and the old one lies nowhere', async () => {
    const [host] = server.target.hosts
    await loadSql(
      { ...server.target, hosts: [{ host: host?.host ?? '', port }] },
      "ALTER ROLE backup PASSWORD 'another'",
    )
    assert.equal(codeOf(await admin.ask('PATCH', '/api/databases/shop', { password: 'wrong' })), 'connection-failed')
    assert.equal((await admin.ask('PATCH', '/api/databases/shop', { password: 'another' })).status, 200)
    assert.deepEqual((await admin.ask('GET', '/api/secrets')).body, { names: ['shop-password-2'] })
    assert.match(await readFile(join(api.directory, 'pgrevive.yaml'), 'utf8'), /pgrevive\.secrets\/shop-password-2/)
    assert.equal(codeOf(await admin.ask('DELETE', '/api/secrets/shop-password-2')), 'request-conflict')
  })

  it('it is backed up, and what happens is told as it happens', async () => {
    const begun = await admin.ask('POST', '/api/runs', { command: 'backup', databases: ['shop'], prove: true })
    assert.equal(begun.status, 200, begun.text)
    const { id, by: begunBy } = run.parse(begun.body)
    await hasRun(id)
    assert.equal((await admin.ask('GET', `/api/runs/${id}/log`)).status, 200)
    const proofs = page(run).parse((await admin.ask('GET', '/api/runs?command=prove&database=shop')).body)
    assert.deepEqual(
      proofs.items.map(({ by, databases }) => [by, databases]),
      [[begunBy, ['shop']]],
    )
    assert.equal((await admin.ask('POST', `/api/runs/${proofs.items[0]?.id}/cancel`, {})).status, 200)
    const front = overview.parse((await admin.ask('GET', '/api/overview')).body)
    assert.deepEqual(
      front.databases.map(({ name }) => name),
      ['shop'],
    )
    assert.ok(!front.todo.includes('database') && !front.todo.includes('repository'))
    assert.deepEqual([front.waitingKits, front.todo.includes('kit')], [['local'], true])
    assert.equal((await admin.ask('POST', '/api/repositories/local/kit-kept', {})).status, 200)
    const kept = overview.parse((await admin.ask('GET', '/api/overview')).body)
    assert.deepEqual([kept.waitingKits, kept.todo.includes('kit')], [[], false])
    assert.equal(databaseSummary.parse((await admin.ask('GET', '/api/databases/shop')).body).gone, false)
    const left = restoreState.parse((await admin.ask('GET', '/api/databases/shop/restores')).body)
    assert.deepEqual(left, { database: 'shop', unfinished: null, kept: [] })
  })

  it('Prometheus reads how it stands, with a token that is for nothing else', async () => {
    const issued = await admin.ask('POST', '/api/tokens', { name: 'prometheus', scopes: ['metrics'] })
    const authorization = `Bearer ${issuedToken.parse(issued.body).secret}`
    const visitor = api.client()
    const scraped = await visitor.ask('GET', '/metrics', undefined, { origin: undefined, authorization })
    assert.equal(scraped.status, 200, scraped.text)
    assert.match(String(scraped.headers['content-type']), /^text\/plain; version=0\.0\.4/)
    assert.match(scraped.text, /^pgrevive_runs\{command="backup",state="done"\} 1$/m)
    assert.match(scraped.text, /^pgrevive_database_state\{database="shop",state=/m)
    assert.equal((await visitor.ask('GET', '/api/overview', undefined, { authorization })).status, 403)
    assert.equal((await visitor.ask('GET', '/metrics')).status, 401)
  })

  it('whoever watches the process hears whether it lives and works, and why it does not', async () => {
    const ask = async (path: string) => {
      const { status, body } = await api.client().ask('GET', path)
      return [status, body]
    }
    assert.deepEqual(await ask('/healthz'), [200, { alive: true }])
    assert.deepEqual(await ask('/readyz'), [200, { ready: true, problems: [] }])
    const file = join(api.directory, 'pgrevive.yaml')
    const before = await readFile(file, 'utf8')
    await writeFile(file, 'databases: none')
    await api.service.lookAtConfig()
    const problem = 'pgrevive.yaml has changed and is not valid: the one before it counts'
    assert.deepEqual(await ask('/readyz'), [503, { ready: false, problems: [problem] }])
    await writeFile(file, before)
    await api.service.lookAtConfig()
    assert.deepEqual(await ask('/readyz'), [200, { ready: true, problems: [] }])
    await rename(join(api.directory, 'backups'), join(api.directory, 'away'))
    await api.service.catalog.refresh()
    const away = { ready: true, problems: ['1 repository can not be reached'] }
    assert.deepEqual(await ask('/readyz'), [200, away], 'its pages are needed more than ever')
    await rename(join(api.directory, 'away'), join(api.directory, 'backups'))
    await api.service.catalog.refresh()
  })

  it('a schedule, objectives and retention are set, and comments of the file stay', async () => {
    const file = join(api.directory, 'pgrevive.yaml')
    const read = z.object({ text: z.string(), revision: z.string() })
    const { text: lies, revision } = read.parse((await admin.ask('GET', '/api/settings')).body)
    const commented = `# ours\n${lies}`
    assert.equal((await admin.ask('PUT', '/api/settings', { text: commented, revision })).status, 200)
    assert.equal(codeOf(await admin.ask('PUT', '/api/settings', { text: lies, revision })), 'request-conflict')
    const nightly = { command: 'backup', when: 'daily at 02:00' }
    await Promise.all([
      admin.ask('PUT', '/api/schedules/nightly', nightly),
      admin.ask('PUT', '/api/schedules/drill', { command: 'prove', when: 'weekly on sunday at 05:00' }),
      admin.ask('PATCH', '/api/databases/shop', { objectives: { rpo: '12h' } }),
      admin.ask('PUT', '/api/retention', { keep_daily: 7 }),
    ])
    const onlyIfNew = { 'if-none-match': '*' }
    const other = { command: 'backup', when: 'daily at 03:00' }
    assert.equal(codeOf(await admin.ask('PUT', '/api/schedules/nightly', other, onlyIfNew)), 'request-conflict')
    const after = await readFile(file, 'utf8')
    assert.ok(!after.includes('03:00'))
    for (const part of ['# ours', 'nightly:', 'drill:', 'rpo: 12h', 'keep_daily: 7'])
      assert.ok(after.includes(part), part)
    const schedules = z.array(z.object({ name: z.string(), next: z.array(z.string()), matches: z.array(z.string()) }))
    const listed = schedules.parse((await admin.ask('GET', '/api/schedules')).body)
    assert.deepEqual(
      listed.map(({ name, next, matches }) => [name, next.length, matches]),
      [
        ['nightly', 10, ['shop']],
        ['drill', 10, ['shop']],
      ],
    )
    assert.equal((await admin.ask('DELETE', '/api/schedules/drill')).status, 200)
    const previewed = async (databases: string[]) => {
      const entry = { command: 'backup', when: 'daily at 02:00', databases }
      return schedulePreview.parse((await admin.ask('POST', '/api/schedules/preview', entry)).body).matches
    }
    assert.deepEqual([await previewed(['sh*']), await previewed(['shpo'])], [['shop'], []])
    for (const jitter of ['9'.repeat(60_000), 'a while']) {
      const asked = await admin.ask('POST', '/api/schedules/preview', { when: 'hourly', jitter })
      assert.match(schedulePreview.parse(asked.body).problem ?? '', /^jitter must be a time such as 30m/)
    }
    const { items } = api.server.room.audit.list({ before: undefined, limit: 100 })
    const acts = items.map(({ act }) => act)
    assert.ok(acts.includes('setSchedule') && !acts.includes('previewSchedule'), 'each key that is pressed is no act')
    const wrong = await admin.ask('PUT', '/api/schedules/odd', { command: 'backup', when: 'whenever' })
    assert.equal(codeOf(wrong), 'config-invalid')
  })

  it('the command line does the same through the service, with the words that it has here', async () => {
    const { secret: token } = issuedToken.parse(
      (await admin.ask('POST', '/api/tokens', { name: 'ci', scopes: ['read', 'operate'] })).body,
    )
    const program = fileURLToPath(new URL('../../../bin/pgrevive.js', import.meta.url))
    const pgrevive = async (...words: string[]) => {
      const child = spawn(process.execPath, [program, ...words, '--quiet'], {
        cwd: api.directory,
        env: { PATH: process.env['PATH'], PGREVIVE_SERVER: api.url, PGREVIVE_TOKEN: token },
      })
      const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
      assert.deepEqual([child.exitCode, stderr], [0, ''])
      return stdout
    }
    const [, id = ''] =
      /^backed up shop as ([0-9A-Z]{26}): 1 table, 100 rows/.exec(
        await pgrevive('backup', 'shop', '--comment', 'from afar'),
      ) ?? []
    assert.match(await pgrevive('prove', 'latest:shop'), new RegExp(`^proven shop ${id} `))
  })

  it('of a database that is taken out nothing is demanded any more, and what was proven of it stays', async () => {
    await api.service.catalog.refresh()
    const summary = async () => databaseSummary.parse((await admin.ask('GET', '/api/databases/shop')).body)
    const before = await summary()
    assert.ok(before.restorableTo !== null && before.objectives.rpo !== null)
    assert.equal((await admin.ask('DELETE', '/api/databases/shop')).status, 200)
    const { gone, state, reasons, restorableTo, objectives } = await summary()
    assert.deepEqual([gone, state, reasons, restorableTo], [true, 'unknown', [], before.restorableTo])
    assert.deepEqual(objectives, { rpo: null, proveEvery: null, restoreWithin: null })
  })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = z.object({ port: z.number() }).parse(server.address())
  server.close()
  await once(server, 'close')
  return port
}
