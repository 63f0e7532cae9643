import assert from 'node:assert/strict'
import { open, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { parseContainerUrl } from '../../containers/container-reference.ts'
import type { Engine } from '../../containers/engine.ts'
import { reachContainer } from '../../containers/reach-container.ts'
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
      z.object({ restored: z.array(z.object({ rows: z.int() })), kept: z.string(), stopped: z.array(z.string()) }),
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
    assert.deepEqual(await volumes(), [volume, kept].toSorted())
    assert.ok((await files(kept)).some((path) => path.endsWith('pg_control')))
    assert.match(await host.succeed('diff', 'latest', url), /equal/)
  })

  it('killed in the middle goes on, and what was kept first stays', { skip }, async () => {
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
    assert.match(again.stderr, /remove +what has come into the volume travelscout_postgres_data since the recovery of/)
    assert.match(again.stdout, /recovered travelscout from .*: 1 table, 50,000 rows, .* verified/)
    assert.deepEqual(await running(), ['travelscout-app', 'travelscout-celery-worker', 'travelscout-postgres'])
    const [kept, ...others] = (await volumes()).filter((name) => !before.includes(name))
    assert.ok(kept !== undefined && others.length === 0)
    assert.ok((await files(kept)).some((path) => path.endsWith('/witness')))
    assert.deepEqual(await run('SELECT count(*) FROM flights'), ['50000'])
  })
})
