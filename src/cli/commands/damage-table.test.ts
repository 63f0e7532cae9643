import assert from 'node:assert/strict'
import { cp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { toolVersion } from '../../core/tool-version.ts'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { parseKeyFile } from '../../repository/keys/key-file.ts'
import { DirectoryStore } from '../../store/directory/directory-store.ts'
import { runCommandLine } from '../command-line.ts'
import { type Ended, TestHost, checkDocument, initDocument, restoreDocument } from './test-host.ts'

// Every kind of object, harmed in every way. What the commands say of it is the table in docs/how-to/damage.md; with
// PGREVIVE_WRITE_DOCS=1 it is written there.

const page = new URL('../../../docs/how-to/damage.md', import.meta.url)
const tableInPage = /(?<=<!-- prettier-ignore-start -->\n)[^]*?(?=<!-- prettier-ignore-end -->)/

const harms = {
  'bit flipped': async (path: string) => {
    const bytes = await readFile(path)
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1)
    await writeFile(path, bytes)
  },
  'byte cut': async (path: string) => truncate(path, (await stat(path)).size - 1),
  removed: (path: string) => rm(path),
}
type Harm = keyof typeof harms

const kinds = [
  'config',
  'config.bak',
  'RESTORE.md',
  'restore.py',
  'index',
  'tombstone',
  'proof',
  'record',
  'metadata pack',
  'data pack',
  'data pack with the definitions',
] as const
type Kind = (typeof kinds)[number]
/** No backup depends on the others. */
const ofBackups: readonly Kind[] = ['record', 'metadata pack', 'data pack', 'data pack with the definitions']

const tables = ['people', 'pets', 'visits']
const source = `
  CREATE TABLE pets AS SELECT i, md5('pet' || i) AS name FROM generate_series(1, 500) i;
  CREATE TABLE people (i int PRIMARY KEY, name text); CREATE TABLE visits (person int REFERENCES people)`
const later = `
  INSERT INTO people SELECT i, md5(i::text) FROM generate_series(1, 2000) i; INSERT INTO visits SELECT i FROM people`

describe('whatever is damaged is told, and all else comes back', { timeout: 600_000 }, () => {
  let server: TestServer
  let host: TestHost
  /** Before and after `later`; the first one has the definitions, which the second one needs, too. */
  let backups: readonly [string, string]
  let objects: Readonly<Record<Kind, string>>
  const rows = new Map<Kind, Map<Harm, readonly string[]>>()
  before(async () => {
    server = await startTestServer()
    host = await TestHost.create(server)
    await loadSql(server.target, 'CREATE DATABASE village TEMPLATE template0')
    const village = withDatabase(server.target, 'village')
    await loadSql(village, source)
    const { keyFile } = await host.document(initDocument, 'init', '--chunk-size', '4KiB')
    const first = await host.backUp('postgres:///village')
    const earlier = await host.objects()
    await loadSql(village, later)
    backups = [first.id, (await host.backUp('postgres:///village')).id]
    await host.succeed('prove', 'latest', '--on', 'postgres:///postgres')
    const keys = [parseKeyFile(await readFile(keyFile, 'utf8'))]
    await (await openRepository(await DirectoryStore.open(host.path('backups')), { keys })).condemn(['ab'.repeat(32)])
    const added = (await host.objects()).filter((path) => !earlier.includes(path))
    const only = (paths: readonly string[], folder: string) => {
      const found = paths.filter((path) => path.startsWith(host.path('backups', folder, '/')))
      assert.equal(found.length, 1, folder)
      return found[0] ?? ''
    }
    objects = {
      config: host.path('backups/config'),
      'config.bak': host.path('backups/config.bak'),
      'RESTORE.md': host.path('backups/RESTORE.md'),
      'restore.py': host.path('backups/restore.py'),
      index: only(added, 'index'),
      tombstone: only(added, 'gc'),
      proof: only(added, 'proofs'),
      record: only(added, 'records'),
      'metadata pack': only(added, 'meta'),
      'data pack': only(added, 'packs'),
      'data pack with the definitions': only(earlier, 'packs'),
    }
    await cp(host.path('backups'), host.path('sound'), { recursive: true, preserveTimestamps: true })
  })
  after(async () => {
    await host[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  /** As a process would, but in this one: it is done at once. */
  async function run(...args: string[]): Promise<Ended> {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()]
    const exitCode = await runCommandLine(args, {
      streams: { stdin: new PassThrough(), stdout, stderr },
      environment: host.environment,
      setVariables: () => undefined,
      currentDirectory: host.directory,
      homeDirectory: host.path('home'),
      version: toolVersion,
      signal: new AbortController().signal,
    })
    stdout.end()
    stderr.end()
    return { args, exitCode, signal: null, stdout: await text(stdout), stderr: await text(stderr) }
  }

  /** In the words of the output, without what differs from run to run. */
  const inWords = (said: string) =>
    said
      .replaceAll(/(?:packs|meta)\/..\/[0-9a-f]{64}/g, 'the pack')
      .replaceAll(/\w+\/[0-9A-Z]{26}/g, 'the object')
      .replaceAll(`backup ${backups[0]}`, 'first backup')
      .replaceAll(`backup ${backups[1]}`, 'second backup')
      .replaceAll(backups[1], 'second backup')
      .replaceAll(/\b\d+ of \d+ rows/g, 'some rows')

  async function whatCheckSays(): Promise<string> {
    const { stdout, exitCode } = await run('check', '--level', 'bits')
    const lines = stdout.split('\n').filter((line) => line.startsWith('  ')) // others tell of other things
    assert.equal(exitCode, lines.length === 0 ? 0 : 8, stdout)
    return (
      lines
        .map((line) =>
          inWords(line)
            .replace(/: (the (pack|object)|[\w.]+)$/, '')
            .trim(),
        )
        .join('; ') || 'nothing'
    )
  }

  async function digests(database: string): Promise<Record<string, string>> {
    await using connection = await server.connect(database)
    const found: Record<string, string> = {}
    for (const table of tables) {
      const sql = `SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ${table} t`
      found[table] = (await connection.query(sql))[0]?.[0] ?? ''
    }
    return found
  }

  /** A restore is whole, or refuses with the name of what is damaged and leaves nothing. */
  async function whatRestoreDoes(...options: string[]): Promise<string> {
    // one after the other, so that the first that fails is always the same
    const { stdout, exitCode } = await run('restore', backups[1], '--to', 'copy', '--json', '--jobs', '1', ...options)
    await using connection = await server.connect()
    if (exitCode === 0 || exitCode === 10) {
      const { lost } = restoreDocument.extend({ error: z.unknown().optional() }).parse(JSON.parse(stdout))
      assert.equal(exitCode === 10, lost.length > 0)
      const [was, is] = [await digests('village'), await digests('copy')]
      const lacking = tables.filter((table) => was[table] !== is[table]).map((table) => `table public.${table}`)
      const named = lost.map(({ object }) => object)
      assert.deepEqual(lacking.toSorted(), named.filter((object) => object.startsWith('table ')).toSorted())
      await connection.execute('DROP DATABASE copy')
      return lost.length === 0 ? 'whole' : `without rows of ${named.join(', ')}`
    }
    const { error } = z.object({ error: z.object({ code: z.string(), message: z.string() }) }).parse(JSON.parse(stdout))
    const left = "SELECT datname FROM pg_database WHERE datname = 'copy' OR datname LIKE 'pgrevive%'"
    assert.deepEqual(await connection.query(left), [])
    return `${error.code}: ${inWords(error.message).split(/: |, which/)[0]}`
  }

  async function whatProveSays(): Promise<string> {
    const { stdout, stderr } = await run('prove', backups[1], '--on', 'postgres:///postgres')
    return /^(proven|refuted)/.exec(stdout)?.[1] ?? /^error \[(.*)\]/.exec(stderr)?.[1] ?? stderr
  }

  async function whatRepairLeaves(): Promise<string> {
    const { stdout } = await run('check', '--level', 'bits', '--repair', '--json')
    const { damages } = checkDocument.parse(JSON.parse(stdout))
    const left = damages.map(({ object, backups: touched }) => {
      const streams = touched.find(({ id }) => id === backups[1])?.streams ?? []
      return streams.length > 0 ? streams.join(', ') : (object.split('/')[0] ?? '').replace(/s$/, '')
    })
    return left.join('; ') || 'nothing'
  }

  for (const kind of kinds) {
    it(kind, async () => {
      const cells = new Map<Harm, readonly string[]>()
      rows.set(kind, cells)
      for (const harm of ['bit flipped', 'byte cut', 'removed'] as const) {
        await rm(host.path('backups'), { recursive: true })
        await cp(host.path('sound'), host.path('backups'), { recursive: true, preserveTimestamps: true })
        await harms[harm](objects[kind])
        const mayDepend = ofBackups.includes(kind)
        const [checked, restored] = [await whatCheckSays(), await whatRestoreDoes()]
        const skipped = mayDepend ? await whatRestoreDoes('--skip-damaged') : ''
        const proved = mayDepend ? await whatProveSays() : ''
        if (mayDepend) assert.equal(proved === 'proven', restored === 'whole')
        cells.set(harm, [checked, restored, skipped, proved, await whatRepairLeaves()])
      }
    })
  }

  it('is what docs/how-to/damage.md tells', async () => {
    const head = ['object', 'damage', '`check`', '`restore`', '… `--skip-damaged`', '`prove`', 'after `check --repair`']
    const lines = [...rows].flatMap(([kind, cells]) => [...cells].map(([harm, said]) => [kind, harm, ...said]))
    const table = [head, head.map(() => '---'), ...lines].map((line) => `| ${line.join(' | ')} |\n`).join('')
    const told = await readFile(page, 'utf8')
    if (process.env['PGREVIVE_WRITE_DOCS'])
      await writeFile(
        page,
        told.replace(tableInPage, () => table),
      )
    else assert.equal(tableInPage.exec(told)?.[0], table)
  })
})
