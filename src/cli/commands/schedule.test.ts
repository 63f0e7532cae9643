import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { z } from 'zod'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { TestHost, assertFailed, until } from './test-host.ts'

const run = promisify(execFile)
const hasSystemd = await run('systemd-analyze', ['--version']).then(
  () => true,
  () => false,
)

const password = String.raw`pa$word\x&y z`

describe('schedule', { timeout: 180_000 }, () => {
  let server: TestServer
  let host: TestHost
  /** With all that shells, cron and systemd stumble over. */
  let directory: string
  before(async () => {
    server = await startTestServer()
    await loadSql(server.target, `CREATE ROLE keeper SUPERUSER LOGIN PASSWORD '${password}'`)
    await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
    host = await TestHost.create(server)
    directory = host.path(`it's 100% "$HOME"`)
    await mkdir(directory)
    await writeFile(
      join(directory, 'pgrevive.yaml'),
      `repository: ./backups here\nretention: { keep_daily: 7 }\ndatabases: { shop: { url: postgres://keeper@/shop, password_env: SHOP } }\n`,
    )
    await writeFile(join(directory, 'secrets'), `SHOP=${password}\n`)
    host = host.with({
      PGREVIVE_REPO: undefined,
      PGREVIVE_CONFIG: join(directory, 'pgrevive.yaml'),
      PGPASSWORD: undefined,
      SHOP: password,
    })
    await host.succeed('init')
  })
  after(async () => {
    await host?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
  })

  const documentOf = z.object({
    notes: z.array(z.string()),
    crontab: z.string().optional(),
    units: z.record(z.string(), z.string()).optional(),
  })

  it('is lines that cron can run, with nothing but what they say', async () => {
    const printed = await host.succeed('schedule', '--print', 'cron', '--environment-file', join(directory, 'secrets'))
    assert.match(printed, /secrets must set SHOP, /)
    assert.ok(!printed.includes(password))
    const variables: string[] = []
    for (const line of printed.split('\n')) {
      if (/^\w+=/.test(line)) variables.push(line)
      const [, time, command] = /^((?:[\d,*]+ ){4}[\d,*]+) (.*)$/.exec(line) ?? []
      if (time === undefined || command === undefined) continue
      // as cron does: only a percent sign without a backslash means something to it
      assert.doesNotMatch(command, /(?<!\\)%/)
      const environment = ['-i', `HOME=${host.environment['HOME']}`, ...variables]
      const { stdout, stderr } = await run('env', [...environment, '/bin/sh', '-c', command.replaceAll('\\%', '%')])
      assert.deepEqual([stdout, stderr], ['', ''])
    }
    assert.deepEqual(printed.match(/^[\d*].{4,20}(?= cd)/gm), ['15 2 * * *', '15 4 * * *', '15 6 * * 0', '15 8 1 * *'])
    const [only, ...others] = await host.list()
    assert.deepEqual(
      [only?.database, only?.proof?.outcome, only?.checked?.isWhole, others],
      ['shop', 'proven', true, []],
    )
  })

  it('says what is missing for it', async () => {
    const { notes } = await host.document(documentOf, 'schedule', '--print', 'cron')
    assert.match(notes.join('\n'), /not printed: SHOP;.*--environment-file FILE/)
    const bare = host.with({ PGREVIVE_CONFIG: undefined, PGREVIVE_REPO: './there' })
    const printed = await bare.succeed('schedule', '--print', 'cron', '--every', '6h', '--at', '23:05')
    assert.match(printed, /# nothing is forgotten/)
    assert.match(printed, /^5 5,11,17,23 \* \* \* .* --repo \.\/there .* backup >/m)
    assert.doesNotMatch(printed, /prune/)
    assertFailed(await bare.run('schedule', '--print', 'fcron'), 'usage-invalid', { message: /cron or systemd/ })
  })

  it('is units that systemd understands', { skip: !hasSystemd }, async () => {
    const args = ['schedule', '--print', 'systemd', '--every', '8h', '--environment-file', join(directory, 'secrets')]
    const { units = {} } = await host.document(documentOf, ...args)
    assert.match(units['pgrevive-backup.timer'] ?? '', /^OnCalendar=\*-\*-\* 02,10,18:15:00$/m)
    // what the script writes, into a folder of ours
    const folder = host.path('units')
    const programs = host.path('programs')
    await mkdir(folder)
    await mkdir(programs)
    await writeFile(join(programs, 'systemctl'), `#!/bin/sh\necho "$@" >> ${folder}/calls\n`)
    await chmod(join(programs, 'systemctl'), 0o755)
    const script = (await host.succeed(...args)).replaceAll('/etc/systemd/system', folder)
    await run('/bin/sh', ['-c', script], { env: { PATH: `${programs}:${process.env['PATH']}` } })
    const timers = Object.keys(units).filter((name) => name.endsWith('.timer'))
    assert.equal(await readFile(join(folder, 'calls'), 'utf8'), `daemon-reload\nenable --now ${timers.join(' ')}\n`)
    for (const [name, text] of Object.entries(units)) assert.equal(await readFile(join(folder, name), 'utf8'), text)
    const files = (await readdir(folder)).filter((name) => name !== 'calls').map((name) => join(folder, name))
    const { stdout, stderr } = await run('systemd-analyze', ['verify', '--man=no', ...files])
    assert.doesNotMatch(`${stdout}${stderr}`, /pgrevive-/)
    const { stdout: next } = await run('systemd-analyze', ['calendar', '*-*-* 02,10,18:15:00', 'Sun *-*-* 06:15:00'])
    assert.match(next, /Next elapse/)
  })

  it('is refused where a name would end its line, and ends its files with no word of theirs', async () => {
    const foreign = "x\nEND_OF_UNIT\ntouch hit\ncat <<'END_OF_UNIT'"
    await mkdir(host.path(foreign))
    await writeFile(host.path(foreign, 'secrets'), '')
    await writeFile(host.path(foreign, 'pgrevive.yaml'), `repository: ${JSON.stringify(host.path('backups'))}\n`)
    const config = host.path(foreign, 'pgrevive.yaml')
    for (const print of ['cron', 'systemd']) {
      const asked = ['schedule', '--print', print]
      for (const way of [
        host.run(...asked, '--config', config),
        host.run(...asked, '--environment-file', host.path(foreign, 'secrets')),
        host.with({ XDG_DATA_HOME: host.path(foreign) }).run(...asked),
      ]) {
        const refused = await way
        assertFailed(refused, 'usage-invalid', { message: /control character/, hint: /rename/ })
        assert.equal(refused.stdout, '')
      }
    }
    const script = await host
      .with({ XDG_DATA_HOME: host.path('END_OF_UNIT') })
      .succeed('schedule', '--print', 'systemd')
    assert.match(script, /<<'END_OF_UNIT_'\n/)
  })

  it('lets hooks have privileges that nothing else needs', async () => {
    const unit = async (...args: readonly string[]) =>
      (await host.document(documentOf, 'schedule', '--print', 'systemd', ...args)).units?.['pgrevive-backup.service']
    const without = await unit()
    assert.match(without ?? '', /^NoNewPrivileges=true$[^]*^RestrictSUIDSGID=true$/m)
    await writeFile(
      host.path('hooks.yaml'),
      `repository: ./backups\ndatabases: { shop: { url: postgres:///shop, hooks: { on_failure: [{ run: 'sudo id' }] } } }\n`,
    )
    const withHooks = await unit('--config', host.path('hooks.yaml'))
    assert.match(withHooks ?? '', /^# hooks may need sudo or mail/m)
    assert.doesNotMatch(withHooks ?? '', /NoNewPrivileges=|^Restrict|^PrivateDevices|^Lock|^ProtectKernel/m)
  })

  it('keeps a run from meeting itself, and no other one', async () => {
    await writeFile(
      host.path('slow.yaml'),
      `repository: ${JSON.stringify(join(directory, 'backups here'))}
hooks: { before_backup: [{ run: 'touch begun; while ! [ -e go ]; do sleep 0.05; done' }] }
databases: { shop: { url: postgres://keeper@/shop, password_env: SHOP } }\n`,
    )
    const backup = ['backup', '--no-overlap', '--config', host.path('slow.yaml')]
    const first = await host.start(...backup)
    await until(async () => (await readdir(host.directory)).includes('begun'))
    assertFailed(await host.run(...backup, '--json'), 'run-overlaps', { message: /backup" runs already/ })
    await host.succeed(...backup, '--comment', 'another one', '--no-hooks')
    await writeFile(host.path('go'), '')
    assert.equal((await first.ended).exitCode, 0)
    await host.succeed(...backup)
  })
})
