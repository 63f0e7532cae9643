import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { quoteIdentifier } from '../../postgres/sql/quote.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { TestHost, assertFailed, checkDocument, doctorDocument, initDocument } from './test-host.ts'

const run = promisify(execFile)

describe('doctor', { timeout: 120_000 }, () => {
  let server: TestServer
  before(async () => {
    server = await startTestServer()
    await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
  })
  after(() => server?.[Symbol.asyncDispose]())

  it('finds all that backups need, or says what is missing', async () => {
    await using host = await TestHost.create(server)
    await writeFile(host.path('pgrevive.yaml'), 'databases: { shop: { url: postgres:///shop } }\n')
    assertFailed(await host.run('doctor'), 'doctor-failed', {
      message: /backups does not exist/,
      hint: /pgrevive init/,
    })
    await host.succeed('init')
    const { safe, sections } = await host.document(doctorDocument, 'doctor')
    assert.deepEqual(
      [safe, sections.map(({ subject }) => subject)],
      [true, ['settings', host.path('backups'), 'databases', 'programs', 'this machine']],
    )
    const shown = await host.succeed('doctor')
    assert.match(shown, /^ok +key +reads and writes/m)
    assert.match(shown, /^ok +shop +PostgreSQL \d+\.\d+ +it can be proven with PostgreSQL/m)

    await writeFile(
      host.path('pgrevive.yaml'),
      'databases: { shop: { url: postgres:///shop }, other: { url: postgres:///othr } }\n',
    )
    const missing = await host.run('doctor', '--json')
    assertFailed(missing, 'doctor-failed', { message: /^other: .*othr/ })
    assert.equal(doctorDocument.parse(JSON.parse(missing.stdout)).safe, false)
    await writeFile(host.path('pgrevive.yaml'), 'job: 7\n')
    assertFailed(await host.run('doctor'), 'config-invalid', { message: /did you mean "jobs"/ })
    const stranger = host.with({ XDG_CONFIG_HOME: host.path('elsewhere'), PGREVIVE_CONFIG: undefined })
    await writeFile(host.path('pgrevive.yaml'), '')
    assertFailed(await stranger.run('doctor'), 'doctor-failed', {
      message: /^repository: no key/,
      hint: /PGREVIVE_PASSPHRASE/,
    })
  })

  it('tells commands that mend what a role may not, whatever it is called', async () => {
    await using all = await TestHost.create(server)
    const host = all.with({ OWN: 'its own' })
    const role = `o'Brien "the\\reader" ü`
    await loadSql(server.target, `CREATE ROLE ${quoteIdentifier(role)} LOGIN PASSWORD 'its own'`)
    const url = `postgres://${encodeURIComponent(role)}@/shop`
    await loadSql(
      { ...server.target, database: 'shop' },
      'CREATE TABLE secret (); REVOKE ALL ON SCHEMA public FROM PUBLIC',
    )
    await writeFile(
      host.path('pgrevive.yaml'),
      `databases: { shop: { url: ${JSON.stringify(url)}, password_env: OWN } }\n`,
    )
    await host.succeed('init')
    const poor = await host.run('doctor', '--json')
    assertFailed(poor, 'doctor-failed', { message: /may not read public.secret/ })
    for (const { findings } of doctorDocument.parse(JSON.parse(poor.stdout)).sections) {
      for (const { check, remedy } of findings) {
        if (!/^shop: (rights|restore)$/.test(check)) continue
        assert.match(remedy ?? '', / -U postgres /)
        await run('/bin/sh', ['-c', remedy ?? 'false'], { env: host.environment })
      }
    }
    const { sections } = await host.document(doctorDocument, 'doctor')
    const verdicts = sections
      .flatMap(({ findings }) => findings)
      .filter(({ check }) => /^shop: (rights|restore)$/.test(check))
    assert.deepEqual(
      verdicts.map(({ verdict }) => verdict),
      ['good', 'good'],
    )
  })

  it('tries a store, before there is a repository and after, and leaves nothing that anybody minds', async () => {
    await using host = await TestHost.create(server)
    const { store } = await host.document(initDocument, 'init')
    assert.ok(store.length > 5 && store.every(({ verdict }) => verdict !== 'bad'))
    const before = await host.objects()
    const { safe, sections } = await host.document(doctorDocument, 'doctor', '--store')
    assert.deepEqual([safe, sections[0]?.findings.map(({ check }) => check)], [true, store.map(({ check }) => check)])
    assert.deepEqual(await host.objects(), before)
    // as a host leaves it that may not remove
    await writeFile(host.path('backups', 'probe', '0123'), 'left')
    const { damages } = await host.document(checkDocument, 'check', '--level', 'content')
    assert.deepEqual(damages, [])
    const nowhere = host.with({ PGREVIVE_REPO: host.path('nowhere') })
    assertFailed(await nowhere.run('doctor', '--store'), 'doctor-failed', { hint: /pgrevive init/ })
  })
})
