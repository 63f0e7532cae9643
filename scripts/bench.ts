/**
 * Measures pgrevive next to what people use today, on one travel database, in one run. Needs an installed PostgreSQL with
 * its client programs. Usage: npm run bench [-- --scale 20]; writes the table to docs/benchmarks.md.
 */
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { format } from 'prettier'
import { createTravelDatabase } from '../src/cli/demo/travel-database.ts'
import { letADayPass } from '../src/cli/demo/travel-day.ts'
import { formatBytes } from '../src/cli/format.ts'
import { findServerBinaries } from '../src/postgres/server-binaries.ts'
import { startTestServer } from '../src/postgres/test-server.ts'
import { Connection } from '../src/postgres/connection.ts'

const { values } = parseArgs({ options: { scale: { type: 'string', default: '20' } } })
const scale = Number(values.scale)
const environment = process.env
const installed = (await findServerBinaries({ environment })).findLast(({ source }) => source === 'installed')
if (!installed) throw new Error('the benchmark needs an installed PostgreSQL with psql, pg_dump and pg_restore')
const { directory: bin, major, version } = installed

await using server = await startTestServer({ major, settings: { max_wal_size: '4GB' } })
const target = await server.createDatabase()
const work = await mkdtemp(join(tmpdir(), 'pgrevive-bench-'))
await using cleanup = new AsyncDisposableStack()
cleanup.defer(() => rm(work, { recursive: true, force: true }))
const [host] = target.hosts
const childEnvironment = {
  PATH: `${join(import.meta.dirname, '../node_modules/.bin')}:${bin}:${environment['PATH']}`,
  HOME: work,
  PGHOST: host?.host,
  PGPORT: String(host?.port),
  PGUSER: target.user,
  PGDATABASE: target.database,
  PGPASSWORD: host && target.password(host),
  PGREVIVE_REPO: join(work, 'repository'),
  WORK: work,
  PGREVIVE: `node ${join(import.meta.dirname, '../bin/pgrevive.js')}`,
}

/** Runs a shell command; seconds by the wall, and by the processor for the command itself and its children. */
async function measure(command: string): Promise<{ seconds: number; cpuSeconds: number; peakBytes: number }> {
  const script = `set -euo pipefail; ${command}`
  const startedMs = performance.now()
  const child = spawn(
    '/usr/bin/env',
    ['bash', '-c', `${script}\ntimes >"$WORK/times"; cat /proc/self/status >/dev/null`],
    {
      env: childEnvironment,
      stdio: ['ignore', 'ignore', 'inherit'],
      cwd: work,
      detached: true, // a process group of its own, by which its processes are found
    },
  )
  let peakBytes = 0
  const watch = setInterval(() => {
    void peakOfNode(child.pid ?? 0).then((bytes) => (peakBytes = Math.max(peakBytes, bytes)))
  }, 50)
  const code = await new Promise((resolve) => child.on('close', resolve))
  clearInterval(watch)
  if (code !== 0) throw new Error(`exit ${String(code)}: ${command}`)
  const seconds = (performance.now() - startedMs) / 1000
  const [, children = ''] = (await readFile(join(work, 'times'), 'utf8')).trim().split('\n')
  const cpuSeconds = [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, m, s]) => sum + Number(m) * 60 + Number(s),
    0,
  )
  return { seconds, cpuSeconds, peakBytes }
}

/** The high-water mark of pgrevive's process in a process group. */
async function peakOfNode(group: number): Promise<number> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  let peak = 0
  for (const id of processes) {
    const [, rest = ''] = (await readFile(`/proc/${id}/stat`, 'utf8').catch(() => '')).split(/\) (?=[A-Z] )/)
    if (rest.split(' ')[2] !== String(group)) continue
    const command = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')
    if (!command.includes('pgrevive.js')) continue
    const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '')
    peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024)
  }
  return peak
}

async function sizeOf(path: string): Promise<number> {
  const info = await stat(path)
  if (!info.isDirectory()) return info.size
  const sizes = await Promise.all((await readdir(path)).map((name) => sizeOf(join(path, name))))
  return sizes.reduce((sum, size) => sum + size, 0)
}

await using connection = await Connection.connect(target)
await createTravelDatabase(connection, { scale })
await connection.execute('VACUUM ANALYZE')
await connection.execute('CHECKPOINT')
const [[databaseBytes] = ['0']] = await connection.query('SELECT pg_database_size(current_database())')

const rows: { what: string; seconds: number; cpuSeconds: number; size: string; memory: string }[] = []
async function add(what: string, command: string, size?: () => Promise<number>): Promise<number> {
  process.stderr.write(`${what} …\n`)
  const { seconds, cpuSeconds, peakBytes } = await measure(command)
  const bytes = size ? formatBytes(await size()) : ''
  rows.push({ what, seconds, cpuSeconds, size: bytes, memory: peakBytes > 0 ? formatBytes(peakBytes) : '' })
  return seconds
}

const tables = (
  await connection.query(
    `SELECT c.oid::regclass::text FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY pg_relation_size(c.oid) DESC`,
  )
).map(([name]) => name)
const repository = join(work, 'repository')
let before = 0
const added = async () => {
  const now = await sizeOf(repository)
  const grown = now - before
  before = now
  return grown
}
const floor = await add(
  'floor: psql, COPY of every table to /dev/null, two at a time',
  `printf '%s\\n' ${tables.map((name) => `'${name}'`).join(' ')} | xargs -P2 -I{} psql -qXc 'COPY {} TO STDOUT' >/dev/null`,
)
const guide = await add("pg_dump -Fc | gzip, the guides' pipeline", 'pg_dump -Fc | gzip >guide.gz', () =>
  sizeOf(join(work, 'guide.gz')),
)
await add('pg_dump -Fd -j2', 'pg_dump -Fd -j2 -f dump.dir', () => sizeOf(join(work, 'dump.dir')))
await measure('$PGREVIVE init --quiet')
before = await sizeOf(repository)
const first = await add('pgrevive backup, the first', '$PGREVIVE backup --quiet --jobs 2', added)
const second = await add('pgrevive backup, nothing changed', '$PGREVIVE backup --quiet --jobs 2', added)
await letADayPass(connection)
await add('pgrevive backup, after a day of work', '$PGREVIVE backup --quiet --jobs 2', added)
await connection.execute('CREATE DATABASE bench_guide')
const pgRestore = await add('pg_restore -j2 of the -Fd dump', 'pg_restore -j2 -d bench_guide dump.dir')
const restore = await add('pgrevive restore', '$PGREVIVE restore latest --to bench_pgrevive --quiet --jobs 2')
const proof = await add('pgrevive prove', '$PGREVIVE prove --quiet --jobs 2')

const ratio = (value: number, to: number) => `${(value / to).toFixed(2)}`
const { stdout: revision } = await promisify(execFile)('git', ['rev-parse', '--short', 'HEAD'], {
  cwd: import.meta.dirname,
})
const text = `# Benchmarks

Made by \`npm run bench -- --scale ${scale}\` at commit ${revision.trim()} on ${new Date().toISOString().slice(0, 10)}: the travel database at scale ${scale}
(${formatBytes(Number(databaseBytes))} with indexes), PostgreSQL ${version} on a Unix socket, Node ${process.version}, ${cpus().length} cores
(${cpus()[0]?.model ?? ''}), ${formatBytes(totalmem())} of memory. Server and client share the cores; fsync of the server is off for all. Compare within
this table only: such machines are noisy. Processor time is the client's, without the server's.

| what | seconds | × floor | client processor seconds | stored | memory of pgrevive |
| --- | --: | --: | --: | --: | --: |
${rows.map((row) => `| ${row.what.replace('|', '\\|')} | ${row.seconds.toFixed(1)} | ${ratio(row.seconds, floor)} | ${row.cpuSeconds.toFixed(1)} | ${row.size} | ${row.memory} |`).join('\n')}

- The first backup takes ${ratio(first, floor)} × the floor, and is ${ratio(guide, first)} × faster than \`pg_dump -Fc | gzip\`; it is encrypted and deduplicated, too.
- A backup with nothing changed takes ${ratio(second, floor)} × the floor.
- A restore takes ${ratio(restore, pgRestore)} × the time of \`pg_restore -j2\`; a proof ${ratio(proof, restore)} × that of a restore: it starts a server, restores, and reads
  everything back.
`
const page = new URL('../docs/benchmarks.md', import.meta.url)
await writeFile(page, await format(text, { parser: 'markdown', printWidth: 120 }))
process.stdout.write(text)
