/**
 * Measures pgrevive next to what people use today, all in one run: npm run bench. Writes docs/benchmarks.md and its
 * picture. Wants an installed PostgreSQL with its client programs, zstd, and, from Debian, pgcopydb, pgbackrest and
 * restic; what is not there is left out, and the page says so. The machine should do nothing else.
 *
 *   --scale 100        of the travel database: 100 is about 1 GB
 *   --large 300        another scale, for memory alone; 0 leaves it out
 *   --days 30          of daily backups, at a fifth of the scale; 0 leaves them out
 *   --records 5000     for list; 0 leaves it out
 *   --s3-days 30       of daily backups into S3, at a fifth of the scale, after one into each kind of place; 0 leaves S3 out
 *   --index 1024       GiB in the repository that a backup is started into, its index alone; 0 leaves it out
 *   --service 50000    runs in the state of a service of 200 databases; 0 leaves it out
 *   --no-page          prints, and writes nothing
 */
import { execFile } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs, promisify } from 'node:util'
import { format } from 'prettier'
import { formatBytes } from '../../src/core/text/format.ts'
import { drawBars } from './bars.ts'
import { measureDays } from './days.ts'
import { measureLargeIndex } from './large-index.ts'
import { measureList } from './list.ts'
import { measurePlaces, type PlaceMeasurements } from './places.ts'
import { prepareWorkplace, travel } from './workplace.ts'
import { measureService } from './service.ts'
import { measureSpeed, type SpeedRow } from './speed.ts'

const { values } = parseArgs({
  allowNegative: true,
  options: {
    scale: { type: 'string', default: '100' },
    large: { type: 'string', default: '300' },
    days: { type: 'string', default: '30' },
    records: { type: 'string', default: '5000' },
    's3-days': { type: 'string', default: '30' },
    index: { type: 'string', default: '1024' },
    service: { type: 'string', default: '50000' },
    page: { type: 'boolean', default: true },
  },
})
const [scale, large, days, records, index] = [
  values.scale,
  values.large,
  values.days,
  values.records,
  values.index,
].map(Number)
if (!scale || large === undefined || days === undefined || records === undefined || index === undefined) {
  throw new Error('not a number')
}

const started = new Date()
const { rows, profile, databaseBytes, versions } = await (async () => {
  await using bench = await prepareWorkplace(travel(scale))
  const speed = await measureSpeed(bench, { peers: true })
  return { ...speed, databaseBytes: bench.databaseBytes, versions: bench.versions }
})()
const largeRows = await (async (): Promise<readonly SpeedRow[]> => {
  if (large === 0) return []
  await using bench = await prepareWorkplace(travel(large))
  return (await measureSpeed(bench, { peers: false })).rows
})()
const daily = await (async () => {
  if (days === 0) return undefined
  await using bench = await prepareWorkplace(travel(Math.max(1, scale / 5)))
  return await measureDays(bench, days)
})()
const list = records === 0 ? undefined : await measureList(records)
const s3Days = Number(values['s3-days'])
const places = await (async () => {
  if (s3Days === 0) return undefined
  await using bench = await prepareWorkplace(travel(Math.max(1, scale / 5)))
  return await measurePlaces(bench, s3Days)
})()
const serviceRuns = Number(values.service)
const service = serviceRuns === 0 ? undefined : await measureService(200, serviceRuns)
const largeIndex = index === 0 ? undefined : await measureLargeIndex(index * 2 ** 30)

const find = (id: string, among = rows) => among.find((row) => row.id === id)
const seconds = (id: string, among = rows) => find(id, among)?.seconds ?? NaN
const ratio = (a: string, b: string) => seconds(a) / seconds(b)
const peaks = (among: readonly SpeedRow[]) => Math.max(...among.map(({ peakBytes }) => peakBytes))

interface Goal {
  readonly what: string
  readonly goal: string
  readonly measured: string
  readonly met: boolean
}
const below = (what: string, value: number, limit: number, unit = '×'): Goal[] =>
  Number.isNaN(value)
    ? []
    : [{ what, goal: `≤ ${limit} ${unit}`, measured: `${value.toFixed(2)} ${unit}`, met: value <= limit }]
const above = (what: string, value: number, limit: number): Goal[] =>
  Number.isNaN(value) ? [] : [{ what, goal: `≥ ${limit} ×`, measured: `${value.toFixed(2)} ×`, met: value >= limit }]
const requestsADay = ({ daily }: PlaceMeasurements, method: string) => (daily.requests.get(method) ?? 0) / daily.days
const goals: readonly Goal[] = [
  ...below('first backup, to the floor', ratio('first', 'floor'), 1.5),
  ...above('first backup, faster than `pg_dump -Fc \\| gzip`', ratio('guide', 'first'), 2.8),
  ...above('… than `pg_dump -Fc -Z0 \\| zstd -3 -T2`', ratio('zstd', 'first'), 1),
  ...above('… than `pg_dump -Fc -Z0 \\| restic backup --stdin`', ratio('restic', 'first'), 1),
  ...below('backup with nothing changed, to the floor', ratio('unchanged', 'floor'), 1.3),
  ...below(
    'its bytes, of the first one’s',
    ((find('unchanged')?.storedBytes ?? NaN) / (find('first')?.storedBytes ?? NaN)) * 100,
    0.5,
    '%',
  ),
  ...(daily
    ? [
        ...below(`${days} daily backups, to one`, daily.pgreviveBytes / daily.firstBytes, 2),
        ...(daily.resticBytes === undefined
          ? []
          : below(`${days} daily backups, to restic’s`, daily.pgreviveBytes / daily.resticBytes, 1)),
      ]
    : []),
  ...below(
    'restore without statistics, to `pg_restore -j2`, which makes none',
    ratio('restore-bare', 'pg_restore'),
    0.95,
  ),
  ...below(
    'restore, to `pg_restore -j2` and `vacuumdb --analyze-only -j2`',
    seconds('restore') / (seconds('pg_restore') + seconds('analyze')),
    0.95,
  ),
  ...below('proof, to a restore and 1.2 floors', seconds('prove') / (seconds('restore') + 1.2 * seconds('floor')), 1),
  ...below('restore of one small table', seconds('one-table'), 3, 's'),
  ...below(`most memory at scale ${scale}`, peaks(rows) / 1e6, 250, 'MB'),
  ...(largeRows.length > 0 ? below(`most memory at scale ${large}, to that`, peaks(largeRows) / peaks(rows), 1.1) : []),
  ...(places
    ? [
        ...below(
          'backup into S3 on loopback, to one into a directory',
          places.s3.seconds / places.directory.seconds,
          1.15,
        ),
        ...below(`PUTs of a daily backup into S3, of ${s3Days}`, requestsADay(places, 'PUT'), 4, ''),
      ]
    : []),
  ...(list ? below(`list of ${records} backups`, list.seconds, 1, 's') : []),
  ...(service
    ? [
        ...below(
          `overview of ${service.databases} databases and ${service.runs} runs, at the API`,
          service.overviewMs,
          300,
          'ms',
        ),
        ...below('… on screen', service.screenMs, 1000, 'ms'),
        ...below('memory of that service, idle', service.idleBytes / 1e6, 150, 'MB'),
      ]
    : []),
  ...(largeIndex
    ? below(`memory to start a backup into ${index} GiB in chunks of 64 KiB`, largeIndex.peakBytes / 1e6, 1000, 'MB')
    : []),
]

const cell = (row: SpeedRow, floor: number) => [
  row.what.replaceAll('|', '\\|'),
  row.seconds.toFixed(1),
  (row.seconds / floor).toFixed(2),
  row.clientSeconds.toFixed(1),
  row.machineSeconds.toFixed(1),
  row.storedBytes === undefined ? '' : formatBytes(row.storedBytes),
  row.peakBytes === 0 ? '' : formatBytes(row.peakBytes),
]
const table = (head: readonly string[], lines: readonly (readonly string[])[]) =>
  [head, head.map((_, column) => (column === 0 ? '---' : '--:')), ...lines]
    .map((line) => `| ${line.join(' | ')} |`)
    .join('\n')
const speedTable = (among: readonly SpeedRow[]) =>
  table(
    ['what', 'seconds', '× floor', 'client’s processor seconds', 'the machine’s', 'stored', 'memory of pgrevive'],
    among.map((row) => cell(row, seconds('floor', among))),
  )

const { stdout: revision } = await promisify(execFile)('git', ['rev-parse', '--short', 'HEAD'], {
  cwd: import.meta.dirname,
})
const busy = profile.reduce((sum, [kind, time]) => sum + (kind === 'waiting' ? 0 : time), 0)
const server = (find('first')?.machineSeconds ?? 0) - (find('first')?.clientSeconds ?? 0)
const text = `# Benchmarks

Made by \`npm run bench\` at commit ${revision.trim()} on ${started.toISOString().slice(0, 10)}: the travel database at scale ${scale} (${formatBytes(databaseBytes)} with
indexes); ${versions.join(', ')}; ${cpus().length} cores (${cpus()[0]?.model ?? ''}), ${formatBytes(totalmem())} of memory. Server and client share
the cores and the disk; the server listens on a Unix socket, and its fsync is off for all. Compare within this page only: such machines are noisy.

![seconds of each](benchmarks.svg)

## Goals

${table(
  ['what', 'goal', 'measured', ''],
  goals.map(({ what, goal, measured, met }) => [what, goal, measured, met ? 'met' : '**missed**']),
)}

## Backup and restore

The floor is what the server and a client that throws everything away need: psql, \`COPY … TO STDOUT\` of every table to /dev/null, two at a time.
pgrevive's backups are encrypted and deduplicated, every chunk is opened again before it is stored, and every row is hashed. Processor seconds of the
client are those of the programs named; the machine's are all, with the server's.

${speedTable(rows)}
${largeRows.length === 0 ? '' : `\nAt scale ${large}:\n\n${speedTable(largeRows)}\n`}
## Where the time of a first backup goes

The machine was busy for ${(find('first')?.machineSeconds ?? 0).toFixed(1)} processor seconds; ${server.toFixed(1)} of them were the server's and the kernel's.
pgrevive's main thread, by a profile (\`node --cpu-prof\`):

${table(
  ['what', 'seconds', 'of its work'],
  profile.map(([kind, time]) => [
    kind,
    time.toFixed(2),
    kind === 'waiting' ? '' : `${Math.round((time / busy) * 100)} %`,
  ]),
)}
${
  daily
    ? `
## ${days} daily backups

At scale ${scale / 5}. Between two backups a day of work: 1 % of the rows of the busy tables appended, the newest 0.5 % updated, the oldest 0.5 % deleted.
restic gets \`pg_dump -Fc -Z0\` of the same days on its standard input.

${table(
  ['what', 'pgrevive', 'restic'],
  [
    [
      'the first backup',
      formatBytes(daily.firstBytes),
      daily.resticFirstBytes === undefined ? '' : formatBytes(daily.resticFirstBytes),
    ],
    [
      `all ${days}`,
      formatBytes(daily.pgreviveBytes),
      daily.resticBytes === undefined ? '' : formatBytes(daily.resticBytes),
    ],
  ],
)}
`
    : ''
}${
  places
    ? `
## Places

The same first backup at scale ${scale / 5}; the S3 server (Ceph, in memory) shares the two cores. Below, the requests that a backup a day asks for.

${table(
  ['into', 'seconds', 'client’s processor seconds', 'the machine’s'],
  (
    [
      ['a directory', places.directory],
      ['S3 on loopback', places.s3],
      ['both at once', places.both],
    ] as const
  ).map(([what, { seconds: took, clientSeconds, machineSeconds }]) => [
    what,
    took.toFixed(1),
    clientSeconds.toFixed(1),
    machineSeconds.toFixed(1),
  ]),
)}

${table(
  ['requests', 'first backup', `a day, on average of ${s3Days}`],
  ['PUT', 'GET', 'LIST'].map((method) => [
    method,
    String(places.first.get(method) ?? 0),
    requestsADay(places, method).toFixed(1),
  ]),
)}
`
    : ''
}${list ? `\n\`pgrevive list\` of ${records} backups takes ${list.seconds.toFixed(2)} s, and ${formatBytes(list.peakBytes)} of memory.\n` : ''}${
  service
    ? `
## The service

\`pgrevive serve\` with ${service.databases} databases, ${service.backups} backups in a repository and ${service.runs} runs in its state answers for the front page in
${service.overviewMs.toFixed(0)} ms (a health check, which reads nothing, takes ${service.floorMs.toFixed(1)} ms); Chromium shows it ${service.screenMs.toFixed(0)} ms after the click, ${service.firstScreenMs.toFixed(0)} ms without anything in its cache. Idle, the
service takes ${formatBytes(service.idleBytes)} of memory.
`
    : ''
}`

process.stdout.write(text)
if (values.page) {
  const page = new URL('../../docs/benchmarks.md', import.meta.url)
  const notes = new URL('./notes.md', import.meta.url)
  await writeFile(
    page,
    await format(`${text}\n${await readFile(notes, 'utf8')}`, { parser: 'markdown', printWidth: 120 }),
  )
  await writeFile(new URL('../../docs/benchmarks.svg', import.meta.url), drawBars(rows))
}
