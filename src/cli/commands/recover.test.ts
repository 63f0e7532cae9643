import assert from 'node:assert/strict'
import { open, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { parseContainerUrl } from '../../containers/container-reference.ts'
import type { Engine } from '../../containers/engine.ts'
import { reachContainer } from '../../containers/reach-container.ts'
import { removeJournal, writeJournal } from '../../containers/recovery-journal.ts'
import { TestEngine } from '../../containers/test-engine.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import { TestHost, assertFailed, until } from './test-host.ts'

const url = 'docker://travelscout-postgres/travelscout'
const services = ['travelscout-app', 'travelscout-celery-beat', 'travelscout-celery-worker']
const volume = 'travelscout_postgres_data'

describe('recover', async () => {
  const started = await TestEngine.start()
  const skip = typeof started === 'string' && started
  let engine: Engine
  let host: TestHost
  before(async () => {
    if (typeof started === 'string') return
    engine = await started.open()
    host = (await TestHost.create()).with(started.environment)
    await host.succeed('init')
    await run(
      `CREATE ROLE reader LOGIN; CREATE TABLE flights (id int PRIMARY KEY, code text);
       INSERT INTO flights SELECT g, md5(g::text) FROM generate_series(1, 50000) g; GRANT SELECT ON flights TO reader`,
    )
  })
  after(async () => {
    if (typeof started === 'string') return
    await host[Symbol.asyncDispose]()
    await started[Symbol.asyncDispose]()
  })

  async function run(sql: string): Promise<unknown> {
    const surroundings = { environment: {}, homeDirectory: '/nonexistent' }
    const { target } = await reachContainer(engine, parseContainerUrl(url), surroundings)
    await using connection = await Connection.connect(target)
    if (!sql.startsWith('SELECT')) return await connection.execute(sql)
    return (await connection.query(sql))[0]
  }
  async function running(): Promise<string[]> {
    const all = await engine.projectContainers('travelscout')
    return all.flatMap(({ name, isRunning }) => (isRunning ? name : [])).toSorted()
  }
  async function volumes(): Promise<string[]> {
    const { Volumes } = await engine.ask('volumes', (docker) => docker.listVolumes())
    return Volumes.map(({ Name }) => Name).toSorted()
  }
  const files = async (name: string) => {
    const { Mountpoint } = await engine.ask('a volume', (docker) => docker.getVolume(name).inspect())
    const entries = await readdir(Mountpoint, { recursive: true, withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  }
  /** As a broken controller leaves them: their size, and nothing in them. */
  async function zeroOut(): Promise<void> {
    for (const path of await files(volume)) {
      if (!/\/base\/|pg_control$|\/global\//.test(path)) continue
      await using file = await open(path, 'r+')
      await file.write(Buffer.alloc((await file.stat()).size), 0, undefined, 0)
    }
  }

  it('touches nothing without a proven backup, or without a confirmation', { skip }, async () => {
    const all = [...services, 'travelscout-postgres'].toSorted()
    assertFailed(await host.run('recover', '--project', 'travelscout', '--confirm', 'travelscout'), 'backup-unknown')
    await host.backUp(url)
    const unproven = await host.run('recover', '--project', 'travelscout', '--confirm', 'travelscout')
    assertFailed(unproven, 'backup-unknown', {
      message: /no backup of "travelscout" is proven/,
      hint: /pgrevive prove/,
    })
    await host.succeed('prove')
    const asked = await host.run('recover', '--project', 'travelscout')
    assertFailed(asked, 'usage-invalid', { hint: /--confirm "travelscout"/ })
    assert.match(
      asked.stderr,
      /stop +travelscout-app, .*; and travelscout-postgres\n +keep +all that is in the volume travelscout_postgres_data, as the volume travelscout_postgres_data_damaged_/,
    )
    assertFailed(await host.run('recover', '--project', 'travelscout', '--confirm', 'other'), 'usage-invalid')
    assertFailed(await host.run('recover', '--project', 'other', '--confirm', 'other'), 'container-missing')
    assert.deepEqual([await running(), await volumes()], [all, [volume]])
  })

  it('brings a volume back whose files hold nothing but zeros, and keeps it', { skip }, async () => {
    await (await engine.container('travelscout-celery-beat')).stop(0)
    await zeroOut()
    const { restored, kept, stopped } = await host.document(
      z.object({
        restored: z.array(z.object({ rows: z.int() })),
        kept: z.array(z.string()),
        stopped: z.array(z.string()),
      }),
      'recover',
      '--project',
      'travelscout',
      '--confirm',
      'travelscout',
    )
    assert.deepEqual(restored, [{ rows: 50_000 }])
    // what did not run before does not run now
    assert.deepEqual(stopped, ['travelscout-app', 'travelscout-celery-worker'])
    assert.deepEqual(await running(), ['travelscout-app', 'travelscout-celery-worker', 'travelscout-postgres'])
    assert.deepEqual(await run('SELECT count(*), count(DISTINCT code) FROM flights'), ['50000', '50000'])
    assert.deepEqual(await run("SELECT has_table_privilege('reader', 'flights', 'SELECT')"), ['t'])
    assert.deepEqual(await volumes(), [volume, ...kept].toSorted())
    assert.equal(kept.length, 1)
    assert.ok((await files(kept[0] ?? '')).some((path) => path.endsWith('pg_control')))
    assert.match(await host.succeed('diff', 'latest', url), /equal/)
  })

  it('killed in the middle goes on, and keeps both what was damaged and what was written since', { skip }, async () => {
    await zeroOut()
    const marked = (await files(volume)).find((path) => path.endsWith('PG_VERSION'))
    assert.ok(marked)
    await writeFile(join(marked, '..', 'witness'), 'the damaged one')
    const before = await volumes()
    const { child, ended } = await host.start('recover', '--project', 'travelscout', '--confirm', 'travelscout')
    await until(async () => (await volumes()).length > before.length + 1) // it keeps a journal, too
    await until(async () => (await running()).length === 0)
    await until(async () => (await running()).includes('travelscout-postgres'))
    child.kill('SIGKILL')
    await ended
    assert.deepEqual(await running(), ['travelscout-postgres'])
    const again = await host.run('recover', '--project', 'travelscout', '--confirm', 'travelscout')
    assert.equal(again.exitCode, 0, again.stderr)
    assert.match(again.stderr, /remove +nothing/)
    assert.match(again.stdout, /docker volume rm (\S+_damaged_\w+) (?!\1)\S+_damaged_\w+\n/)
    assert.match(again.stdout, /recovered travelscout from .*: 1 table, 50,000 rows, .* verified/)
    assert.deepEqual(await running(), ['travelscout-app', 'travelscout-celery-worker', 'travelscout-postgres'])
    const [damaged = '', since = '', ...others] = (await volumes()).filter((name) => !before.includes(name))
    assert.deepEqual(others, [])
    assert.ok((await files(damaged)).some((path) => path.endsWith('/witness')))
    const later = await files(since)
    assert.ok(later.length > 0 && !later.some((path) => path.endsWith('/witness')))
    assert.deepEqual(await run('SELECT count(*) FROM flights'), ['50000'])
  })

  it(
    'stopped by a signal before the data is touched, starts again what it stopped, and says so',
    { skip },
    async () => {
      const [all, before] = [await running(), await volumes()]
      const { child, ended } = await host.start('recover', '--project', 'travelscout', '--confirm', 'travelscout')
      await until(async () => (await volumes()).length > before.length)
      child.kill('SIGINT')
      const { exitCode, stderr } = await ended
      assert.equal(exitCode, 130)
      assert.match(
        stderr,
        /stopped by SIGINT\nhint: no data was touched, and what was stopped runs again: travelscout-/,
      )
      assert.deepEqual([await running(), await volumes()], [all, before])
    },
  )

  it('that restored all, and could not start the services, only starts them: new rows stay', { skip }, async () => {
    const before = await volumes()
    const stopped = ['travelscout-app', 'travelscout-celery-worker']
    await run('INSERT INTO flights VALUES (50001)')
    await writeJournal(engine, 'travelscout-postgres', {
      run: '01JD8Y00000000000000000000',
      startedAt: new Date().toISOString(),
      services: stopped,
      phase: 'restored',
    })
    await Promise.all(stopped.map(async (name) => (await engine.container(name)).stop(0)))
    const again = await host.run('recover', '--project', 'travelscout')
    assert.equal(again.exitCode, 0, again.stderr)
    assert.deepEqual(await running(), [...stopped, 'travelscout-postgres'])
    assert.deepEqual(await run('SELECT count(*) FROM flights'), ['50001'])
    assert.deepEqual(await volumes(), before)
  })

  it('that did not end names the command that goes on, with the backup that was chosen', { skip }, async () => {
    await writeJournal(engine, 'travelscout-postgres', {
      run: '01JD8Y00000000000000000000',
      startedAt: new Date().toISOString(),
      services: ['travelscout-gone'],
      phase: 'restored',
    })
    const words = 'recover --project travelscout --service postgres --backup 01JD8Y --partial'
    assertFailed(await host.run(...words.split(' ')), 'container-missing', {
      hint: new RegExp(`run "pgrevive ${words}" again`),
    })
    await removeJournal(engine, 'travelscout-postgres')
  })

  it('takes a backup that does not hold everything only with --partial', { skip }, async () => {
    const { id: partial } = await host.backUp(url, '--exclude-table-data', 'flights')
    const words = ['recover', '--project', 'travelscout', '--allow-unproven', '--backup', partial]
    assertFailed(await host.run(...words), 'usage-invalid', { message: /does not hold rows of/, hint: /--partial/ })
    const asked = await host.run(...words, '--partial')
    assertFailed(asked, 'usage-invalid', { hint: /--confirm/ })
    assert.match(asked.stderr, /, without rows of .*flights; what was written later/)
  })
})
