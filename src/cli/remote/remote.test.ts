import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { hasCode } from '../../core/app-error.ts'
import { TestApi } from '../../api/test-api.ts'
import { issuedToken } from '../../shapes/access.ts'
import { remoteRequest } from './remote-request.ts'

const program = fileURLToPath(new URL('../../../bin/pgrevive.js', import.meta.url))

const id = '01JD8Y00000000000000000000'
const named = async () => id

describe('--server', () => {
  it('asks a service as whoever the token stands for, and says what it may not', async () => {
    await using api = await TestApi.open()
    const admin = await api.person('admin')
    const wanted = { name: 'ci', scopes: ['read', 'operate'] }
    const { secret } = issuedToken.parse((await admin.ask('POST', '/api/tokens', wanted)).body)
    const pgrevive = async (args: string[], token = secret) => {
      const child = spawn(process.execPath, [program, ...args], {
        cwd: api.directory,
        env: { PATH: process.env['PATH'], PGREVIVE_SERVER: api.url, PGREVIVE_TOKEN: token },
      })
      const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
      return { exitCode: child.exitCode, stdout, stderr }
    }
    assert.deepEqual(await pgrevive(['list']), { exitCode: 0, stdout: 'no backups yet\n', stderr: '' })
    const refused = await pgrevive(['forget'])
    assert.equal(refused.exitCode, 15, refused.stderr)
    assert.match(refused.stderr, /access-denied.*needs the scope "administer"/)
    const local = await pgrevive(['init'])
    assert.deepEqual([local.exitCode, /is not done at a service/.test(local.stderr)], [2, true])
    const unknown = await pgrevive(['prove', 'latest:blog'])
    assert.match(unknown.stderr, /backup-unknown.*the service knows no backup "latest:blog"/)
    const stranger = await pgrevive(['list'], 'pgrevive_nobody')
    assert.match(stranger.stderr, /sign-in-needed/)
    assert.ok(![refused, local, stranger].some(({ stderr }) => stderr.includes(secret)))
  })

  it('passes over no option that a service does not have', async () => {
    const usual = {
      owner: true,
      hooks: true,
      analyze: true,
      tablespaces: true,
      compare: true,
      safetyBackup: true,
      privileges: true,
    }
    for (const other of [{ skipDamaged: true }, { jobs: '2' }, { plan: true }, { analyze: false }, { schema: ['x'] }]) {
      const raw = { ...usual, backup: id, to: 'x', ...other }
      await assert.rejects(
        remoteRequest('restore', raw, named),
        (error) => hasCode(error, 'usage-invalid'),
        JSON.stringify(other),
      )
    }
    const asked = await remoteRequest('restore', { ...usual, undo: true, to: 'shop' }, named)
    assert.ok(asked !== 'list' && asked.command === 'restore' && asked.way === 'undo')
    await assert.rejects(remoteRequest('restore', { ...usual, backup: 'latest', to: 'postgres://x/y' }, named))
  })

  it('takes backups by the words that they have here', async () => {
    const asked = await remoteRequest('prove', { backups: ['latest:blog'] }, named)
    assert.ok(asked !== 'list' && asked.command === 'prove' && asked.backup === id)
    const restore = await remoteRequest('restore', { backup: id.slice(0, 8), to: 'x' }, named)
    assert.ok(restore !== 'list' && restore.command === 'restore' && restore.backup === id)
    const all = await remoteRequest('prove', { backups: [] }, named)
    assert.ok(all !== 'list' && all.command === 'prove' && all.backup === undefined)
    for (const backups of [[id, id], ['*']]) {
      await assert.rejects(remoteRequest('prove', { backups }, named), (error) => hasCode(error, 'usage-invalid'))
    }
  })
})
