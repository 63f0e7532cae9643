import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { loadSql } from '../../postgres/server/test-server.ts'
import { ServiceBench, until } from '../../service/test-service-bench.ts'
import { issuedToken } from '../../shapes/access.ts'
import { backup, backupDetail, restorePlan, rows } from '../../shapes/database.ts'
import { retentionPreview } from '../../shapes/repository.ts'
import { run } from '../../shapes/run.ts'
import { type Answer, type TestClient, TestApi, codeOf } from '../test-api.ts'

const unknown = '01JD8Y00000000000000000000'
const hostile = `<script>alert("it's")</script>\n\u202e; drop`

describe('a backup', () => {
  let bench: ServiceBench
  let api: TestApi
  let viewer: TestClient
  let operator: TestClient
  let admin: TestClient
  /** Of shop. */
  let older = ''
  let newer = ''

  before(async () => {
    bench = await ServiceBench.start()
    await loadSql(bench.target('shop'), 'CREATE TABLE gone AS SELECT 1 AS id; CREATE TABLE same AS SELECT 2 AS id')
    older = backUp('shop')
    await loadSql(bench.target('shop'), "DROP TABLE gone; INSERT INTO orders VALUES (5000, 'the needle')")
    newer = backUp('shop', '--comment=after the sale')
    const name = JSON.stringify(hostile)
    const identifier = `"${hostile.replaceAll('"', '""')}"`
    await loadSql(bench.server.target, `CREATE DATABASE ${identifier} TEMPLATE template0`)
    await loadSql(
      bench.target(hostile),
      `CREATE SCHEMA ${identifier}; CREATE TABLE ${identifier}.${identifier} (${identifier} text);
       INSERT INTO ${identifier}.${identifier} VALUES ('${hostile.replaceAll("'", "''")}')`,
    )
    await bench.configure(`servers: { main: { url: 'postgres:///postgres', include: [${name}] } }`)
    backUp(`main/${hostile}`, `--comment=${hostile}`)
    api = await TestApi.open({ directory: bench.directory, environment: bench.environment })
    api.service.start()
    await api.service.catalog.refresh()
    viewer = await api.person('viewer')
    operator = await api.person('operator')
    admin = await api.person('admin')
  })
  after(async () => {
    await api[Symbol.asyncDispose]()
    await bench[Symbol.asyncDispose]()
  })

  const backUp = (...words: string[]) => {
    const made = z.object({ backups: z.tuple([z.object({ id: z.string() })]) })
    return made.parse(bench.pgrevive('backup', ...words)).backups[0].id
  }
  /** With its code, and what to do. */
  const refused = (answer: Answer, status: number, code: string, message?: RegExp) => {
    assert.deepEqual([answer.status, codeOf(answer)], [status, code], answer.text)
    if (message) assert.match(answer.text, message)
  }

  it('shows what it holds, and what has changed since the one before', async () => {
    const shown = backupDetail.parse((await viewer.ask('GET', `/api/backups/${newer}`)).body)
    assert.deepEqual([shown.database, shown.comment, shown.before, shown.pin], ['shop', 'after the sale', older, null])
    assert.deepEqual(
      shown.contents.map(({ name, rows: count, change }) => [name, count, change?.rows, change?.same]),
      [
        ['orders', 1001, 1, false],
        ['same', 1, 0, true],
      ],
    )
    assert.deepEqual(shown.vanished, [{ schema: 'public', name: 'gone', rows: 1 }])
    const first = backupDetail.parse((await viewer.ask('GET', `/api/backups/${older}`)).body)
    assert.deepEqual([first.before, first.vanished, first.contents[0]?.change], [null, [], null])
    refused(await viewer.ask('GET', `/api/backups/${unknown}`), 404, 'not-found')
    refused(await viewer.ask('GET', '/api/backups/latest'), 400, 'usage-invalid', /id: /)
  })

  it('is searched for rows by who may see them, and the audit log says who did', async () => {
    const search = (client: TestClient, query: Record<string, string>) =>
      client.ask('GET', `/api/backups/${newer}/rows?${new URLSearchParams({ schema: 'public', ...query }).toString()}`)
    const found = rows.parse((await search(operator, { table: 'orders', search: 'needle' })).body)
    assert.deepEqual(found, { columns: ['id', 'md5'], rows: [['5000', 'the needle']], searched: 1001, more: false })
    const some = rows.parse((await search(operator, { table: 'orders', limit: '2' })).body)
    assert.deepEqual([some.rows.length, some.more], [2, true])
    for (const nothing of ["' or 1=1 --", '--limit=1']) {
      assert.deepEqual(
        rows.parse((await search(operator, { table: 'orders', search: nothing })).body).rows,
        [],
        nothing,
      )
    }
    refused(await search(operator, { table: 'nothing' }), 422, 'selection-empty', /no table public\.nothing.*"hint"/)
    refused(await search(operator, { table: 'orders', limit: '501' }), 400, 'usage-invalid', /limit: /)
    refused(await search(operator, {}), 400, 'usage-invalid', /table: /)
    refused(await search(viewer, { table: 'orders' }), 403, 'access-denied')
    const kept = api.server.room.audit.list({ before: undefined, limit: 100 }).items
    const seen = kept.filter(({ act, subject }) => act === 'seeRows' && subject === `${newer} public.orders`)
    assert.ok(seen.some(({ by, outcome }) => by === 'operator@example.com' && outcome === 'done'))
    assert.ok(
      kept.some(({ by, act, outcome }) => by === 'viewer@example.com' && act === 'seeRows' && outcome === 'refused'),
    )
    assert.ok(!JSON.stringify(kept).includes('needle'), 'what was looked for is none of its business')
  })

  it('was looked into, says the audit log, also when nobody waited for the rows: that is no failure', async () => {
    const issued = await admin.ask('POST', '/api/tokens', { name: 'hasty', scopes: ['rows'] })
    const authorization = `Bearer ${issuedToken.parse(issued.body).secret}`
    const path = `/api/backups/${newer}/rows?schema=public&table=orders`
    const leave = AbortSignal.timeout(300) // no command is that fast
    await assert.rejects(fetch(new URL(path, api.url), { headers: { authorization }, signal: leave }))
    const [kept] = await until(() => {
      const { items } = api.server.room.audit.list({ before: undefined, limit: 1 })
      return items[0]?.act === 'seeRows' ? items : undefined
    })
    assert.deepEqual([kept?.outcome, kept?.detail], ['done', 'nobody waited for the answer'])
  })

  it('has a plan of its restore, with what stands in its way, and nothing is changed', async () => {
    const plan = (body: object, client = operator) =>
      client.ask('POST', '/api/restores/plan', { command: 'restore', backup: newer, ...body })
    const fresh = restorePlan.parse((await plan({ way: 'new', to: 'shop_restored' })).body)
    assert.deepEqual([fresh.tables, fresh.rows, fresh.proof], [2, 1002, null])
    assert.ok(fresh.steps.length > 0 && !fresh.findings.some(({ stops }) => stops), JSON.stringify(fresh))
    const taken = restorePlan.parse((await plan({ way: 'new', to: 'app' })).body)
    assert.ok(
      taken.findings.some(({ stops, remedy }) => stops && remedy !== null),
      JSON.stringify(taken),
    )
    const inPlace = restorePlan.parse((await plan({ way: 'in-place', to: 'shop' })).body)
    assert.match(inPlace.steps.join('\n'), /swap/i)
    const orders = [{ schema: 'public', name: 'orders' }]
    const some = restorePlan.parse((await plan({ way: 'rows', to: 'shop', tables: orders, intoSchema: 'old' })).body)
    assert.deepEqual([some.tables, some.rows, some.proof], [1, 1001, null])
    assert.ok(some.bytes > 0 && some.bytes < fresh.bytes)
    const part = restorePlan.parse((await plan({ way: 'new', to: 'part', tables: orders })).body)
    assert.deepEqual([part.tables, part.rows], [1, 1001])
    const nothing = [{ schema: 'public', name: 'nothing' }]
    refused(await plan({ way: 'rows', to: 'shop', tables: nothing, intoSchema: 'old' }), 422, 'selection-empty')
    refused(await plan({ way: 'new', to: 'x', backup: unknown }), 404, 'not-found')
    refused(await plan({ way: 'new', to: 'postgres://elsewhere/x' }), 400, 'usage-invalid', /not a connection string/)
    refused(await plan({ way: 'new', to: 'x', repository: 'locl' }), 404, 'not-found', /did you mean .*local/)
    refused(await plan({ command: 'backup' }), 400, 'usage-invalid', /only a restore has a plan/)
    refused(await plan({ way: 'new', to: 'x' }, viewer), 403, 'access-denied')
    await using session = await bench.server.connect()
    assert.deepEqual(await session.query("SELECT datname FROM pg_database WHERE datname ~ '^shop'"), [['shop']])
  })

  it('is pinned with a reason, which keeps it whatever the policy says, and unpinned', async () => {
    const reason = `--force of the auditors: ${hostile}`
    const pinned = backup.parse((await operator.ask('PUT', `/api/backups/${older}/pin`, { reason })).body)
    assert.equal(pinned.pin?.reason, reason)
    const decided = await preview({ policy: { keep_last: 1 } })
    assert.deepEqual(decided.get(older)?.keep, true)
    assert.match(String(decided.get(older)?.reasons), /pin/i)
    refused(await viewer.ask('DELETE', `/api/backups/${older}/pin`), 403, 'access-denied')
    const unpinned = backup.parse((await operator.ask('DELETE', `/api/backups/${older}/pin`)).body)
    assert.equal(unpinned.pin, null)
    refused(await operator.ask('PUT', `/api/backups/${older}/pin`, { reason: '' }), 400, 'usage-invalid', /reason: /)
    refused(await operator.ask('PUT', `/api/backups/${unknown}/pin`, { reason: 'x' }), 404, 'not-found')
    refused(await viewer.ask('PUT', `/api/backups/${older}/pin`, { reason: 'x' }), 403, 'access-denied')
  })

  const ask = (body: object, client = viewer) => client.ask('POST', '/api/retention/preview', body)
  const preview = async (body: object) => {
    const { decisions } = retentionPreview.parse((await ask(body)).body)
    return new Map(decisions.map((one) => [one.backup, one]))
  }

  it('is kept or forgotten by a policy, which is tried before it counts', async () => {
    const kept = await preview({ policy: { keep_last: 1 }, repository: 'local' })
    assert.deepEqual([kept.get(newer)?.keep, kept.get(older)?.keep], [true, false])
    refused(await ask({ policy: { keep_within: 'long' } }), 400, 'usage-invalid', /keep-within/)
    refused(await ask({ policy: { keep_last: -1 } }), 400, 'usage-invalid', /policy\.keep_last/)
    refused(await ask({ policy: { keep_last: 1 }, repository: 'nothing' }), 404, 'not-found')
    refused(await ask({}), 400, 'usage-invalid', /"hint"/)

    assert.equal((await admin.ask('PUT', '/api/retention', { keep_last: 1, keep_daily: 7 })).status, 200)
    assert.equal((await preview({})).get(older)?.keep, false)
    assert.equal((await admin.ask('PUT', '/api/retention', { keep_last: 2 })).status, 200)
    assert.deepEqual((await viewer.ask('GET', '/api/retention')).body, { keep_last: 2 })
    refused(await admin.ask('PUT', '/api/retention', { keep_within: 'long' }), 422, 'config-invalid', /keep_within/)
    for (const nothing of [{ keep_last: 0 }, { minimum: 3 }, { keep_daily: 0, minimum: 3 }]) {
      refused(await admin.ask('PUT', '/api/retention', nothing), 400, 'usage-invalid', /names nothing to keep/)
    }
    assert.deepEqual((await viewer.ask('GET', '/api/retention')).body, { keep_last: 2 })
    refused(await operator.ask('PUT', '/api/retention', { keep_last: 1 }), 403, 'access-denied')
    assert.equal((await admin.ask('PUT', '/api/retention', {})).status, 200)
    assert.deepEqual((await viewer.ask('GET', '/api/retention')).body, {})
    assert.equal(backup.array().parse((await viewer.ask('GET', '/api/databases/shop/backups')).body).length, 2)
  })

  it('of a database whose names are markup is data, everywhere', async () => {
    const backups = await operator.ask('GET', `/api/databases/${encodeURIComponent(`main/${hostile}`)}/backups`)
    const [found] = backup.array().parse(backups.body)
    assert.deepEqual([found?.database, found?.comment], [`main/${hostile}`, hostile])
    const detail = backupDetail.parse((await viewer.ask('GET', `/api/backups/${found?.id}`)).body)
    assert.deepEqual(
      detail.contents.map((one) => [one.schema, one.name, one.columns]),
      [[hostile, hostile, [hostile]]],
    )
    const query = new URLSearchParams({ schema: hostile, table: hostile, search: '</script>' })
    const seen = await operator.ask('GET', `/api/backups/${found?.id}/rows?${query.toString()}`)
    assert.deepEqual(rows.parse(seen.body).rows, [[hostile]])
    const schedule = { command: 'backup', when: 'hourly' }
    const others: [number, Answer][] = [
      [200, await viewer.ask('GET', '/api/overview')],
      [200, await viewer.ask('GET', `/api/databases/${encodeURIComponent(`main/${hostile}`)}`)],
      [404, await operator.ask('POST', '/api/runs', { command: 'backup', databases: [hostile] })],
      [400, await admin.ask('PUT', `/api/schedules/${encodeURIComponent('<script>')}`, schedule)],
      [422, await admin.ask('PUT', '/api/schedules/x', { ...schedule, when: hostile })],
      [200, await admin.ask('PUT', '/api/schedules/x', { ...schedule, databases: [hostile] })],
      [200, await viewer.ask('GET', '/api/schedules')],
      [200, await admin.ask('POST', '/api/users', { name: hostile, email: 'a@example.com', role: 'viewer' })],
      [200, await admin.ask('GET', '/api/users')],
      [200, await admin.ask('GET', '/api/audit')],
      [404, await viewer.ask('GET', '/api/%3Cscript%3Ealert(1)%3C/script%3E')],
    ]
    for (const [status, answer] of others) assert.equal(answer.status, status, answer.text)
    const back = await api.client().ask('GET', `/api/auth/callback/${encodeURIComponent(hostile)}?error=${hostile[0]}`)
    assert.equal(back.status, 302)
    assert.match(String(back.headers.location), /^\/sign-in\?error=[\w%]+$/)
  })

  it('of which a run speaks: its log is data, too', async () => {
    const asked = { command: 'backup', databases: [`main/${hostile}`], comment: hostile }
    const { id } = run.parse((await operator.ask('POST', '/api/runs', asked)).body)
    const ended = await until(() => {
      const now = api.service.runs.detail(id)
      return now?.endedAt !== null && now
    })
    assert.equal(ended.state, 'done', JSON.stringify(ended.error))
    assert.ok((await viewer.ask('GET', `/api/runs/${id}`)).text.includes('<script>'))
    assert.match((await viewer.ask('GET', `/api/runs/${id}/log`)).text, /script/)
  })
})
