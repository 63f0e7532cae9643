/**
 * Databases that are large in odd ways, each backed up and proven by the commands, with time and memory noted:
 * npm run test:extremes [-- NAME …]. Prints a table; fails if one is not proven.
 */
import { parseArgs } from 'node:util'
import { formatBytes } from '../src/core/text/format.ts'
import type { Connection } from '../src/postgres/wire/connection.ts'
import { quoteIdentifier, quoteLiteral } from '../src/postgres/sql/quote.ts'
import { prepareWorkplace, sizeOf } from './bench/workplace.ts'

/** For so many that one transaction would need a lock for each. */
async function inBatches(
  connection: Connection,
  count: number,
  statement: (number: number) => string,
  batch = 500,
): Promise<void> {
  for (let from = 1; from <= count; from += batch) {
    const numbers = Array.from({ length: Math.min(batch, count - from + 1) }, (_, i) => from + i)
    await connection.execute(numbers.map(statement).join(';'))
  }
}

/** Every character that can be in a name and be printed: all of ASCII, and some of each that comes after. */
const printableNames = [
  ...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)),
  '\n',
  '\t',
  'é',
  'ß',
  'Ω',
  '日',
  '😀',
  '\u202e',
  'a\u0301',
  '\\.',
  '--',
  '/*',
  "';",
  '";',
  '$$',
  '%s',
  '${x}',
  '\\connect',
].map((character) => `x${character}y`)

const extremes: Readonly<Record<string, (connection: Connection) => Promise<void>>> = {
  '10,000 tables': (connection) =>
    inBatches(
      connection,
      10_000,
      (i) => `CREATE TABLE t${i} (id int PRIMARY KEY, v text); INSERT INTO t${i} VALUES (${i}, 'v')`,
    ),
  '20,000 large objects': (connection) =>
    inBatches(connection, 20_000, (i) => `SELECT lo_from_bytea(${i}, convert_to(repeat(md5('${i}'), 30), 'UTF8'))`),
  '500 schemas': (connection) =>
    inBatches(connection, 500, (i) => `CREATE SCHEMA s${i}; CREATE TABLE s${i}.t AS SELECT ${i} AS i`, 100),
  'a table with 1,600 columns': async (connection) => {
    const columns = Array.from({ length: 1600 }, (_, i) => `c${i} int`)
    await connection.execute(`CREATE TABLE wide (${columns.join(', ')})`)
    await connection.execute(
      `INSERT INTO wide SELECT ${columns.map((_, i) => `g + ${i}`).join(', ')} FROM generate_series(1, 1000) g`,
    )
  },
  'one row of 300 MB': (connection) =>
    connection.execute(
      `CREATE TABLE long AS SELECT 1 AS id, string_agg(md5(g::text), '') AS v FROM generate_series(1, 9375000) g`,
    ),
  'names with every printable character': (connection) =>
    inBatches(
      connection,
      printableNames.length,
      (i) => {
        const name = printableNames[i - 1] ?? ''
        const quoted = quoteIdentifier(name)
        return `CREATE SCHEMA ${quoted}; CREATE TABLE ${quoted}.${quoted} (${quoted} text DEFAULT ${quoteLiteral(name)} CONSTRAINT ${quoteIdentifier(`${name} check`)} CHECK (${quoted} <> ''));
          INSERT INTO ${quoted}.${quoted} VALUES (${quoteLiteral(name)}); CREATE INDEX ON ${quoted}.${quoted} (${quoted});
          COMMENT ON TABLE ${quoted}.${quoted} IS ${quoteLiteral(name)}; CREATE SEQUENCE ${quoted}.${quoteIdentifier(`${name} sequence`)};
          CREATE VIEW ${quoted}.${quoteIdentifier(`${name} view`)} AS SELECT * FROM ${quoted}.${quoted}`
      },
      10,
    ),
}

const { positionals } = parseArgs({ allowPositionals: true })
const lines: string[] = []
let failed = 0
for (const [name, fill] of Object.entries(extremes)) {
  if (positionals.length > 0 && !positionals.some((part) => name.includes(part))) continue
  await using workplace = await prepareWorkplace(async (connection) => {
    process.stderr.write(`${name}: filling …\n`)
    await fill(connection)
  })
  const { run, folder } = workplace
  try {
    await run('$PGREVIVE init --quiet >&2')
    process.stderr.write(`${name}: backup …\n`)
    const backup = await run('$PGREVIVE backup --quiet >&2')
    process.stderr.write(`${name}: proof …\n`)
    const proof = await run('$PGREVIVE prove --quiet >&2')
    const stored = formatBytes(await sizeOf(`${folder}/repository`))
    lines.push(
      `| ${name} | ${backup.seconds.toFixed(1)} s | ${formatBytes(backup.peakBytes)} | ${stored} | ${proof.seconds.toFixed(1)} s | ${formatBytes(proof.peakBytes)} | proven |`,
    )
  } catch (error) {
    failed++
    lines.push(`| ${name} | | | | | | ${String(error)} |`)
  }
}
process.stdout.write(
  [
    '| what | backup | memory | stored | proof | memory | outcome |',
    '| --- | --: | --: | --: | --: | --: | --- |',
    ...lines,
    '',
  ].join('\n'),
)
process.exitCode = failed > 0 ? 1 : 0
