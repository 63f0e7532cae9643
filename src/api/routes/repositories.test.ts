import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { z } from 'zod'
import { initializedRepository, repository, repositoryKey } from '../../shapes/repository.ts'
import { settingsText } from '../../shapes/service.ts'
import { type Answer, type TestClient, TestApi, codeOf } from '../test-api.ts'

const program = fileURLToPath(new URL('../../../bin/pgrevive.js', import.meta.url))

const refused = (answer: Answer, status: number, code: string, message = /./) => {
  assert.deepEqual([answer.status, codeOf(answer)], [status, code], answer.text)
  assert.match(answer.text, message)
}

describe('repositories', () => {
  let api: TestApi
  let admin: TestClient

  before(async () => {
    api = await TestApi.open({ config: '# ours\n' })
    api.service.start()
    admin = await api.person('admin')
  })
  after(() => api[Symbol.asyncDispose]())

  const add = (body: object, client = admin) => client.ask('POST', '/api/repositories', body)
  const read = () => readFile(join(api.directory, 'pgrevive.yaml'), 'utf8')
  const names = async () =>
    repository
      .array()
      .parse((await admin.ask('GET', '/api/repositories')).body)
      .map(({ name }) => name)

  it('are made, with a recovery kit that is shown this once', async () => {
    const made = initializedRepository.parse((await add({ name: 'local', place: './backups' })).body)
    assert.match(made.recoveryKit ?? '', /AGE-SECRET-KEY/)
    assert.deepEqual(
      [made.repository.name, made.repository.kind, made.repository.reachable, made.repository.backups],
      ['local', 'directory', true, 0],
    )
    const keys = repositoryKey.array().parse((await admin.ask('GET', '/api/repositories/local/keys')).body)
    assert.ok(keys.some(({ access }) => access === 'read'))
    const seen = await Promise.all(
      ['repositories', 'settings', 'audit'].map((what) => admin.ask('GET', `/api/${what}`)),
    )
    assert.doesNotMatch(seen.map(({ text }) => text).join(), /AGE-SECRET-KEY/)
    assert.deepEqual(
      (await readdir(join(api.directory, 'pgrevive.secrets'))).filter((one) => one.includes('kit')),
      [],
    )
    assert.match(await read(), /# ours/)
    const looked = repository.parse((await admin.ask('POST', '/api/repositories/local/look')).body)
    assert.deepEqual([looked.reachable, looked.error], [true, null])
  })

  it('are added where one is already, unless it is one of ours under another name', async () => {
    const there = ['--config', join(api.directory, 'pgrevive.yaml'), 'init', '--repo=./offsite']
    await promisify(execFile)(process.execPath, [program, ...there], {
      cwd: api.directory,
      env: { ...api.service.options.environment },
    })
    // one that can not be reached must not stand in the way
    await rename(join(api.directory, 'backups'), join(api.directory, 'away'))
    const found = initializedRepository.parse((await add({ name: 'offsite', place: './offsite', init: false })).body)
    await rename(join(api.directory, 'away'), join(api.directory, 'backups'))
    assert.deepEqual([found.repository.reachable, found.recoveryKit], [true, null])
    const again = { name: 'again', place: './backups', init: false }
    refused(await add(again), 422, 'config-invalid', /same place as .*local.*"hint"/)
    await symlink('backups', join(api.directory, 'alias'))
    refused(
      await add({ ...again, place: './alias' }),
      400,
      'usage-invalid',
      /holds the same repository as local.*"hint"/,
    )
    refused(await add({ ...again, place: './nothing' }), 422, 'store-missing', /"hint"/)
    refused(await add({ name: 'other', place: './alias' }), 422, 'repository-exists', /"hint"/)
    refused(await add({ name: 'local', place: './elsewhere' }), 409, 'request-conflict', /local.*already.*another name/)
    assert.deepEqual(await names(), ['local', 'offsite'])
    assert.ok(!(await readdir(api.directory)).includes('elsewhere'), 'nothing was made for a name that is taken')
  })

  it('of one name that two ask for at once are one', async () => {
    const twice = await Promise.all([1, 2].map((n) => add({ name: 'twin', place: `./twin-${n}` })))
    assert.deepEqual(
      twice.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 409],
    )
    assert.equal((await readdir(api.directory)).filter((one) => one.startsWith('twin-')).length, 1)
  })

  it('are not made where the machine or a network of ours is reached, nor by whoever may not', async () => {
    const before = await read()
    refused(await add({ name: 'x', place: '/var/lib/backups' }), 403, 'change-refused', /outside/)
    refused(await add({ name: 'x', place: '../backups' }), 403, 'change-refused', /outside/)
    refused(await add({ name: 'x', place: 's3://bucket/x?endpoint=http://127.0.0.1:9' }), 422, 'address-refused')
    refused(await add({ name: 'x', place: 'sftp://127.0.0.1/x' }), 422, 'address-refused')
    refused(await add({ name: 'x', place: './${HOME}' }), 403, 'change-refused', /variable of the environment/)
    refused(await add({ name: '-x', place: './x' }), 400, 'usage-invalid', /name: must be letters/)
    for (const role of ['viewer', 'operator'] as const) {
      const person = await api.person(role)
      refused(await add({ name: 'x', place: './x' }, person), 403, 'access-denied')
      refused(await person.ask('GET', '/api/repositories/local/keys'), 403, 'access-denied')
      assert.equal((await person.ask('POST', '/api/repositories/local/look')).status, role === 'viewer' ? 403 : 200)
    }
    refused(await admin.ask('POST', '/api/repositories/nothing/look'), 404, 'not-found')
    refused(await admin.ask('GET', '/api/repositories/nothing/keys'), 404, 'not-found')
    assert.equal(await read(), before)
  })

  it('are taken out by hand, in the text of the settings, and what they hold stays', async () => {
    const { text, revision } = settingsText.parse((await admin.ask('GET', '/api/settings')).body)
    const less = text.replace(/^ *offsite:.*\n/m, '')
    const preview = z.object({ effects: z.array(z.string()) })
    const { effects } = preview.parse((await admin.ask('POST', '/api/settings/preview', { text: less, revision })).body)
    assert.deepEqual(effects, ['the repository "offsite" goes: it gets no more backups; what is in it stays'])
    assert.equal((await admin.ask('PUT', '/api/settings', { text: less, revision })).status, 200)
    assert.deepEqual(await names(), ['local', 'twin'])
    assert.ok((await readdir(join(api.directory, 'backups'))).length > 0)
    refused(await admin.ask('POST', '/api/repositories/offsite/look'), 404, 'not-found')
  })

  it('may be in a directory that pgrevive.yaml names for them, which nobody names over the API', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'pgrevive-volume-'))
    const allowed = `service: { repository_directories: ['${outside}'] }\n`
    await writeFile(join(api.directory, 'pgrevive.yaml'), (await read()) + allowed)
    await api.service.lookAtConfig()
    const made = initializedRepository.parse((await add({ name: 'volume', place: outside })).body)
    assert.deepEqual([made.repository.place, made.repository.reachable], [outside, true])
    refused(await add({ name: 'x', place: `${outside}-2` }), 403, 'change-refused', /outside .* and /)
    const { text, revision } = settingsText.parse((await admin.ask('GET', '/api/settings')).body)
    const wider = text.replace(/(repository_directories: \[).*?\]/s, '$1/]')
    assert.notEqual(wider, text)
    refused(await admin.ask('PUT', '/api/settings', { text: wider, revision }), 403, 'change-refused')
    await rm(outside, { recursive: true })
  })
})
