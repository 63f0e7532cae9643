import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { TestHost, until } from './test-host.ts'

const password = 'h1dd3n-password'
const secrets = {
  PGREVIVE_PASSPHRASE: 'h1dd3n-passphrase',
  PGREVIVE_NEW_PASSPHRASE: 'h1dd3n-new',
  PGREVIVE_SFTP_PASSWORD: 'h1dd3n-sftp',
  AWS_SECRET_ACCESS_KEY: 'h1dd3n-aws',
  AZURE_STORAGE_KEY: 'h1dd3n-azure',
}
/** A program that writes down what others see of it, and then does what it is to do. */
const spy = (program: string, place: string) => `#!/bin/sh
mkdir -p ${place}/$$
for what in environ cmdline limits; do cat /proc/$$/$what > ${place}/$$/$what; done
exec ${program} "$@"
`
const noCore = /^Max core file size +0 +0 /m

describe(
  'programs that pgrevive starts',
  { skip: process.platform !== 'linux' && '/proc is Linux', timeout: 300_000 },
  () => {
    let server: TestServer
    let host: TestHost
    before(async () => {
      // what this process may, its children may: where cores are off anyway, nothing would be tried
      await promisify(execFile)('prlimit', ['--core=unlimited', '--pid', String(process.pid)])
      server = await startTestServer()
      await loadSql(server.target, `CREATE ROLE keeper SUPERUSER LOGIN PASSWORD '${password}'`)
      await loadSql(server.target, 'CREATE DATABASE vault')
      await loadSql(withDatabase(server.target, 'vault'), 'CREATE TABLE t AS SELECT generate_series(1, 1000) AS i')
      const plain = await TestHost.create(server)
      await mkdir(plain.path('bin'))
      for (const [name, program] of [
        ['rm', '/bin/rm'],
        ['id', '/usr/bin/id'],
        ['pg_dump', '/usr/lib/postgresql/15/bin/pg_dump'],
      ] as const) {
        await writeFile(plain.path('bin', name), spy(program, plain.path('seen', name)), { mode: 0o755 })
      }
      host = plain.with({
        ...secrets,
        PGUSER: 'keeper',
        PGPASSWORD: password,
        PATH: `${plain.path('bin')}:${plain.environment['PATH']}`,
      })
      await host.succeed('init', '--passphrase')
    })
    after(async () => {
      await host[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    })

    async function seen(program: string, what: 'environ' | 'cmdline' | 'limits'): Promise<string[]> {
      const folder = host.path('seen', program)
      return Promise.all((await readdir(folder)).map((id) => readFile(`${folder}/${id}/${what}`, 'utf8')))
    }

    it('are told no secret, neither in their arguments nor in their environment', async () => {
      await host.succeed('backup', 'postgres:///vault', '--pg-dump', host.path('bin', 'pg_dump'))
      await host.succeed('prove')
      const programs = await readdir(host.path('seen'))
      assert.ok(programs.includes('rm') && programs.includes('pg_dump'), programs.join())
      for (const program of programs) {
        for (const text of [...(await seen(program, 'environ')), ...(await seen(program, 'cmdline'))]) {
          assert.notEqual(text, '')
          assert.doesNotMatch(text, /h1dd3n|PASSWORD|PASSPHRASE|SECRET/, program)
        }
      }
    })

    it('leave no core file if they hold data', async () => {
      await host.succeed('backup', 'postgres:///vault', '--pg-dump', host.path('bin', 'pg_dump'))
      const dumping = (await seen('pg_dump', 'cmdline')).map((text) => text.includes('--version'))
      const limits = (await seen('pg_dump', 'limits')).filter((_, index) => dumping[index] === false)
      assert.ok(limits.length > 0)
      for (const limit of limits) assert.match(limit, noCore)

      const run = await host.start('prove')
      const postgres = await until(async () => childOf(run.child.pid, /\/postgres\0-D/))
      const [environ, limit] = await Promise.all(
        ['environ', 'limits'].map((what) => readFile(`/proc/${postgres}/${what}`, 'utf8')),
      )
      assert.match(limit ?? '', noCore)
      assert.doesNotMatch(environ ?? '', /h1dd3n|PASSWORD|PASSPHRASE|SECRET/)
      assert.equal((await run.ended).exitCode, 0)
    })
  },
)

/** The id of a child process whose command line is like this. */
async function childOf(parent: number, commandLine: RegExp): Promise<string | undefined> {
  for (const id of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const [stat, command] = await Promise.all(
      ['stat', 'cmdline'].map((what) => readFile(`/proc/${id}/${what}`, 'utf8').catch(() => '')),
    )
    const [, parentId] = /\) \S (\d+) /.exec(stat ?? '') ?? []
    if (parentId === String(parent) && commandLine.test(command ?? '')) return id
  }
  return undefined
}
