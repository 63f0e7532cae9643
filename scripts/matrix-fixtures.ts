import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type ConnectionTarget, withDatabase } from '../src/postgres/target/connection-target.ts'
import { type TestServer, loadSql } from '../src/postgres/server/test-server.ts'
import { hasLz4 } from '../src/restore/column-compression.ts'

export interface Fixture {
  readonly file: string
  readonly variables?: Readonly<Record<string, string>>
  /** The database that the file makes by itself. */
  readonly makes?: string
  /** The lowest major version that takes it, and why. */
  readonly from?: { readonly major: number; readonly reason: string }
  /** Tables that this major version and later ones refuse. */
  readonly refused?: { readonly major: number; readonly tables: readonly string[] }
}

export const fixtures: readonly Fixture[] = [
  { file: 'travelscout.sql', variables: { scale: '0.5' } },
  { file: 'pagila.sql' },
  { file: 'tricky.sql', makes: 'tricky' },
  {
    file: 'regression.dump',
    from: { major: 15, reason: 'not loadable: it is the regression database of PostgreSQL 15' },
    // "child column specifies generation expression"; PostgreSQL's own upgrade test (AdjustUpgrade.pm) drops them, too
    refused: { major: 16, tables: ['gtest_normal_child', 'gtest_normal_child2'] },
  },
]
const shared = new URL('../../shared/fixtures/', import.meta.url).pathname
/** A fixture in a database. */
export interface Loaded {
  readonly target: ConnectionTarget
  readonly major: number
  /** What had to be left out. */
  readonly remarks: readonly string[]
}

export async function load(fixture: Fixture, server: TestServer): Promise<Loaded> {
  const path = join(shared, fixture.file)
  if (!existsSync(path)) throw new Error(`${path} is not there`)
  if (fixture.makes) {
    await loadSql(server.target, path, fixture)
    return { target: withDatabase(server.target, fixture.makes), major: server.major, remarks: [] }
  }
  const target = await server.createDatabase()
  if (path.endsWith('.dump'))
    return { target, major: server.major, remarks: await loadDump(fixture, path, server, target) }
  await loadSql(target, path, fixture)
  return { target, major: server.major, remarks: [] }
}

/** Without what this server refuses. npm's are built without lz4, which some tables ask for. */
async function loadDump(
  fixture: Fixture,
  path: string,
  server: TestServer,
  target: ConnectionTarget,
): Promise<string[]> {
  const refused = refusedBy(fixture, server.major)
  const lz4 = await offersLz4(server)
  const directory = await mkdtemp(join(tmpdir(), 'pgrevive-matrix-fixture-'))
  try {
    const [list, file] = [join(directory, 'list'), join(directory, 'fixture.sql')]
    const { stdout } = await promisify(execFile)('pg_restore', ['-l', path])
    const wanted = stdout.split('\n').filter((line) => !refused.some((table) => line.includes(` ${table} `)))
    await writeFile(list, wanted.join('\n'))
    await promisify(execFile)('pg_restore', ['-L', list, '-f', file, path])
    const sql = await readFile(file, 'latin1')
    await writeFile(file, lz4 ? sql : sql.replaceAll(/^ALTER TABLE .* SET COMPRESSION lz4;$/gm, ''), 'latin1')
    await loadSql(target, file)
  } finally {
    await rm(directory, { recursive: true })
  }
  const remarks = lz4 ? [] : ['loaded without column compression by lz4, which the server was built without']
  return refused.length === 0 ? remarks : [...remarks, `loaded without ${refused.join(', ')}, which the server refuses`]
}

function refusedBy({ refused }: Fixture, major: number): readonly string[] {
  return refused && major >= refused.major ? refused.tables : []
}

/** Makes the source such that the next version takes it. */
export async function dropRefused(
  fixture: Fixture,
  target: ConnectionTarget,
  versions: { readonly from: number; readonly to: number },
): Promise<string[]> {
  const refused = refusedBy(fixture, versions.to).filter((table) => !refusedBy(fixture, versions.from).includes(table))
  if (refused.length === 0) return []
  await loadSql(target, `DROP TABLE ${refused.join(', ')}`)
  return [`backed up without ${refused.join(', ')}, which PostgreSQL ${versions.to} refuses`]
}

export async function offersLz4(server: TestServer): Promise<boolean> {
  await using connection = await server.connect()
  return await hasLz4(connection)
}
