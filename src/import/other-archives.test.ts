import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { hasCode } from '../core/app-error.ts'
import { runBundledPgDump } from '../postgres/pg-dump/bundled-pg-dump.ts'
import { Connection } from '../postgres/wire/connection.ts'
import { type TestEntry, encodeArchive } from './test-archive.ts'
import { ImportBench } from './test-import.ts'

const settings: readonly TestEntry[] = [
  { id: 1, description: 'ENCODING', tag: 'ENCODING', definition: "SET client_encoding = 'UTF8';\n" },
  { id: 2, description: 'STDSTRINGS', tag: 'STDSTRINGS', definition: "SET standard_conforming_strings = 'on';\n" },
]
const searchPath: TestEntry = {
  id: 3,
  description: 'SEARCHPATH',
  tag: 'SEARCHPATH',
  definition: "SELECT pg_catalog.set_config('search_path', '', false);\n",
}

/** In the words of a time when names had no schemas. */
const table = (qualified: string): readonly TestEntry[] => [
  {
    id: 4,
    description: 'TABLE',
    tag: 't',
    namespace: 'public',
    owner: 'archivist',
    definition: `CREATE TABLE ${qualified} (a integer);\n`,
    drop: `DROP TABLE ${qualified};\n`,
  },
  {
    id: 5,
    description: 'TABLE DATA',
    tag: 't',
    section: 'data',
    namespace: 'public',
    owner: 'archivist',
    copy: `COPY ${qualified} (a) FROM stdin;\n`,
    rows: '1\n2\n\\.\n\n\n',
    dependencies: [4],
  },
]

/** In the end pg_dump goes back and writes the table of contents again, with the places; here it came out behind the data. */
function withLastToc(written: Buffer): Buffer {
  const firstTag = 'ENCODING\0\x08\0\0\0ENCODING'
  const bytesBefore = 32 // the number of entries, and the beginning of the first
  const [first, last] = [written.indexOf(firstTag), written.lastIndexOf(firstTag)]
  const toc = written.subarray(last)
  return Buffer.concat([written.subarray(0, first), toc, written.subarray(first + toc.length, last - bytesBefore)])
}

describe('archives that pg_dump 15 does not write', { timeout: 300_000 }, () => {
  let bench: ImportBench
  before(async () => {
    bench = await ImportBench.start()
  })
  after(() => bench[Symbol.asyncDispose]())

  it('of pg_dump 18, version 1.16', async () => {
    const target = await bench.exports.bench.database(
      `CREATE TABLE t (i int PRIMARY KEY, v text); INSERT INTO t SELECT i, md5(i::text) FROM generate_series(1, 5000) i;
       CREATE TABLE p (i int) PARTITION BY RANGE (i); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (9);
       CREATE MATERIALIZED VIEW m AS SELECT max(i) FROM t; CREATE SEQUENCE s; SELECT nextval('s'); COMMENT ON TABLE t IS 'c'`,
    )
    for (const options of [['-Z0'], []]) {
      await using connection = await Connection.connect(target)
      const { exitCode, stdout, stderr } = await runBundledPgDump(['-Fc', ...options], connection)
      assert.equal(exitCode, 0, stderr)
      assert.equal(stdout[6], 16)
      const imported = await bench.import(await bench.write('eighteen.dump', withLastToc(Buffer.from(stdout))))
      await bench.assertSame(target, imported)
      assert.match(imported.record.imported?.dumpVersion ?? '', /^18\./)
    }
  })

  it('of before 2018, whose names have no schemas, and before 9.0, whose large objects have no entries', async () => {
    const blobs: TestEntry = {
      id: 6,
      description: 'BLOBS',
      tag: 'BLOBS',
      section: 'data',
      largeObjects: { 3000000000: 'old' },
    }
    const archive = encodeArchive(10, [...settings, ...table('t'), blobs])
    const { record } = await bench.import(await bench.write('ten.dump', archive))
    assert.deepEqual([record.database, record.totals.rows, record.totals.largeObjects], ['old', 2, 1])
    assert.equal(record.snapshot.at, new Date(2026, 1, 3, 4, 5, 6).toISOString())
  })

  for (const version of [11, 13, 15]) {
    it(`of version 1.${version}`, async () => {
      const archive = encodeArchive(version, [...settings, searchPath, ...table('public.t')])
      const { record } = await bench.import(await bench.write('other.dump', archive))
      assert.equal(record.totals.rows, 2)
    })
  }

  it('of version 1.16, with large objects in groups', async () => {
    const grouped: readonly TestEntry[] = [
      {
        id: 6,
        description: 'BLOB METADATA',
        tag: '16..17',
        section: 'data',
        definition: '16\n17\n',
        owner: 'archivist',
        drop: '16\n17\n',
      },
      {
        id: 7,
        description: 'BLOBS',
        tag: '16..17',
        section: 'data',
        dependencies: [6],
        largeObjects: { 16: 'sixteen', 17: '' },
      },
      {
        id: 8,
        description: 'ACL',
        tag: 'LARGE OBJECTS 16..17',
        section: 'data',
        dependencies: [6],
        definition:
          'REVOKE ALL ON LARGE OBJECT 16 FROM archivist;\nGRANT SELECT ON LARGE OBJECT 16 TO "odd ; reader";\n',
      },
    ]
    const archive = encodeArchive(16, [...settings, searchPath, ...table('public.t'), ...grouped])
    const { id, record } = await bench.import(await bench.write('grouped.dump', archive))
    assert.equal(record.totals.largeObjects, 2)
    await bench.exports.bench.expectProven(id)
    const objects = await bench.largeObjects(id)
    assert.deepEqual(
      objects.map(({ oid, owner, grants }) => [oid, owner, grants?.map(({ grantee }) => grantee)]),
      [
        ['16', 'archivist', ['odd ; reader']],
        ['17', 'archivist', ['odd ; reader']],
      ],
    )
  })

  it('of a later version than is known are refused', async () => {
    const path = await bench.write('later.dump', encodeArchive(17, settings))
    await assert.rejects(bench.import(path), (error) => hasCode(error, 'dump-unknown'))
  })
})
