import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { type Ended, TestHost, assertFailed } from './test-host.ts'

const password = `s3cr3t@pa/ss'w:rd %`
const passphrase = 'Tr0ub4dor & three'
/** Every way to write one of the secrets, and the beginning that survives when one is cut at a strange character. */
const secrets = [password, encodeURIComponent(password), 's3cr3t', 'pa/ss', 'h1dd3n', passphrase, 'Tr0ub4dor']

function assertSilent({ args, stdout, stderr }: Ended): void {
  for (const secret of secrets) {
    assert.ok(!stdout.includes(secret), `${args[0]} shows ${secret} on stdout: ${stdout}`)
    assert.ok(!stderr.includes(secret), `${args[0]} shows ${secret} on stderr: ${stderr}`)
  }
}

describe('a password or a passphrase', { timeout: 600_000 }, () => {
  let server: TestServer
  let host: TestHost
  let socket: string
  /** With `shown` in the place of the password. */
  const url = (shown: string, rest = `/vault?host=${encodeURIComponent(socket)}`) =>
    `postgres://keeper:${shown}@${rest}`
  before(async () => {
    server = await startTestServer()
    socket = server.target.hosts[0]?.host ?? ''
    const literal = `'${password.replaceAll("'", "''")}'`
    await loadSql(server.target, `CREATE ROLE keeper SUPERUSER LOGIN PASSWORD ${literal}`)
    await loadSql(server.target, 'CREATE DATABASE vault OWNER keeper')
    host = (await TestHost.create(server)).with({
      PGUSER: undefined,
      PGPASSWORD: undefined,
      PGREVIVE_PASSPHRASE: passphrase,
    })
    assertSilent(await host.run('init', '--passphrase'))
  })
  after(async () => {
    await host[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  it('shows nowhere in what is printed or stored, however it was handed over', async () => {
    const byVariable = host.with({ PGUSER: 'keeper', PGPASSWORD: password, PGREVIVE_PASSPHRASE: undefined })
    const byUrl = host.with({ PGREVIVE_PASSPHRASE: undefined })
    await writeFile(host.path('.pgpass'), `*:*:*:keeper:${password.replaceAll(/[:\\]/g, '\\$&')}\n`, { mode: 0o600 })
    const byKit = byUrl.with({ PGREVIVE_KEY_FILE: 'pgrevive-recovery-kit.txt' })
    const byFile = byUrl.with({ PGUSER: 'keeper', PGPASSFILE: host.path('.pgpass') })
    const written = await host.everyFile()
    const target = url(encodeURIComponent(password))
    const runs = [
      await byVariable.run('backup', 'postgres:///vault'),
      await byUrl.run('backup', target, '--json'),
      await byUrl.run('backup', target),
      await byFile.run('backup', `host=${socket} dbname=vault`, '--pg-dump', 'bundled'),
      await byUrl.run('show', 'latest', '--tables', '--json'),
      await byUrl.run('list', '--json'),
      await byKit.run(
        'restore',
        'latest',
        '--to',
        url(encodeURIComponent(password), `/copy?host=${encodeURIComponent(socket)}`),
      ),
      await byKit.run('prove', '--on', target, '--json'),
    ]
    for (const ended of runs) {
      assert.equal(ended.exitCode, 0, ended.stderr + ended.stdout)
      assertSilent(ended)
    }
    for (const [path, bytes] of await host.everyFile()) {
      if (path.endsWith('.pgpass')) continue
      for (const secret of secrets) assert.ok(!bytes.includes(secret), `${path} holds ${secret}`)
    }
    assert.ok((await host.everyFile()).size > written.size)
  })

  it('shows in no error, however wrong the rest is', async () => {
    const writer = host.with({ PGREVIVE_PASSPHRASE: undefined })
    const reader = writer.with({ PGREVIVE_KEY_FILE: 'pgrevive-recovery-kit.txt', PGUSER: 'keeper' })
    const encoded = encodeURIComponent(password)
    const quoted = `'${password.replaceAll(/['\\]/g, '\\$&')}'`
    const wrongs = [
      [url(`${encoded}-wrong`), 'authentication-failed'],
      [url(encoded, `/nowhere?host=${encodeURIComponent(socket)}`), 'database-missing'],
      [url(encoded, '127.0.0.1:1/vault'), 'connection-failed'],
      [url(encoded, '127.0.0.1:1/vault?pasword=s3cr3t'), 'connection-invalid'],
      [`host=127.0.0.1 port=1 user=keeper passwrd=${quoted}`, 'connection-invalid'],
      [`host=127.0.0.1 port=1 password=${quoted}x y`, 'connection-invalid'],
      // as people paste them, with nothing encoded
      ['postgres://keeper:s3cr3t@h1dd3n@127.0.0.1:1/vault', 'connection-invalid'],
      ['postgres://keeper:s3cr3t/h1dd3n@127.0.0.1:1/vault', 'connection-invalid'],
      ['postgres://keeper:%zzs3cr3t@127.0.0.1:1/vault', 'connection-invalid'],
      ['postgres://keeper:s3cr3t h1dd3n@127.0.0.1:1/vault', 'connection-failed'],
      ['postgers://keeper:s3cr3t h1dd3n@127.0.0.1/vault', 'usage-invalid'],
      ['keeper:s3cr3t@127.0.0.1/vault', 'usage-invalid'],
    ] as const
    const outcomes = await Promise.all(
      wrongs.map(async ([conninfo, code], index) => ({
        conninfo,
        code,
        ended: await writer.run('backup', conninfo, ...(index % 2 === 0 ? ['--json'] : [])),
      })),
    )
    for (const { code, ended } of outcomes) {
      assertSilent(ended)
      assertFailed(ended, code)
    }
    const restoring = await reader.run('restore', 'latest', '--to', url(`${encoded}-wrong`), '--json')
    const mistyped = await reader.run('restore', 'latest', '--to', `postgers://keeper:${encoded}@127.0.0.1/vault`)
    const proving = await reader.run('prove', '--on', url(`${encoded}-wrong`), '--json')
    for (const ended of [restoring, mistyped, proving]) assertSilent(ended)
    assertFailed(restoring, 'authentication-failed')
    assertFailed(mistyped, 'usage-invalid')
    assertFailed(proving, 'authentication-failed')
  })

  it('shows in no error about pgrevive.yaml', async () => {
    const writer = host.with({ PGREVIVE_PASSPHRASE: undefined })
    await writeFile(host.path('bad.yaml'), `databases:\n  vault:\n    url: ${url('s3cr3t')}\n    pasword_env: X\n`)
    const configured = await writer.run('backup', '--config', 'bad.yaml', '--json')
    assertSilent(configured)
    assertFailed(configured, 'config-invalid')
  })
})
