import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { hasCode } from '../../core/app-error.ts'
import { RowFinder } from '../../postgres/copy/row-finder.ts'
import { textEncoding } from '../../postgres/copy/text-encoding.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import { listBackups, readManifest } from '../../repository/backups/open-backup.ts'
import { Inventory } from '../../repository/packs/inventory.ts'
import { TestBench } from '../test-bench.ts'
import { type FindRowsOptions, findRows } from './find-rows.ts'

/** Every character that COPY escapes, and what looks like an escape and is none. */
const nasty = String.raw`
  CREATE TABLE nasty (id int, v text, "Wei""rd col" text[]);
  INSERT INTO nasty VALUES (1, E'tab\there\nline\rreturn\bback\fform\vvert', '{a,"b\\c"}'), (2, '\N', NULL), (3, NULL, '{}'),
    (4, '', '{NULL}'), (5, E'\\.', NULL), (6, '\\', '{"\\\\"}'), (7, 'Straße ΟΔΟΣ İstanbul', NULL), (8, '日本語 🐘' || chr(127), NULL),
    (9, E'ends with \\', NULL), (10, E'\\t is no tab', NULL), (11, repeat('🐘', 1000), NULL), (12, repeat('🐘', 1001), NULL)`

describe('rows of a backup', { timeout: 300_000 }, () => {
  let bench: TestBench
  before(async () => {
    bench = await TestBench.start({ averageChunkBytes: 4096 })
  })
  after(() => bench[Symbol.asyncDispose]())

  async function backupOf(id: string) {
    const { backups } = await listBackups(bench.repository)
    const backup = backups.find((one) => one.id === id)
    assert.ok(backup)
    return backup
  }
  async function rowsOf(id: string, name: string, options: Partial<FindRowsOptions> & { schema?: string } = {}) {
    const usual = { search: undefined, column: undefined, offset: 0, limit: 1000 }
    const { schema, ...rest } = options
    return findRows(bench.repository, await backupOf(id), { ...usual, table: { schema, name }, ...rest })
  }
  const first = (rows: readonly (readonly (string | null)[])[]) => rows.map(([value]) => Number(value))

  it('are what SELECT shows, whatever is escaped, and cut after 1,000 characters', async () => {
    const source = await bench.database(nasty)
    const id = await bench.backUp(source)
    const { columns, rows, searched, more, damages, notes } = await rowsOf(id, 'nasty')
    const selected = await bench.query(source, 'SELECT id, v, "Wei""rd col" FROM nasty ORDER BY id')
    assert.deepEqual(columns, ['id', 'v', 'Wei"rd col'])
    assert.deepEqual(rows.slice(0, 11), selected.slice(0, 11))
    assert.equal(rows[11]?.[1], `${'🐘'.repeat(1000)}…`)
    assert.deepEqual([rows.length, searched, more, damages, notes], [12, 12, false, [], []])
  })

  it('are read alike however the text is cut, and whatever is sought', async () => {
    const source = await bench.database(nasty)
    await using connection = await Connection.connect(source)
    const pieces: Buffer[] = []
    for await (const piece of connection.copyOut('COPY nasty TO STDOUT')) pieces.push(Buffer.from(piece))
    const text = Buffer.concat(pieces)
    const read = (step: number, sought: string | undefined) => {
      const search = sought === undefined ? undefined : { text: sought, column: undefined }
      const finder = new RowFinder({ columns: 3, encoding: textEncoding('UTF8'), search, skip: 0, limit: 1000 })
      for (let at = 0; at < text.length; at += step) finder.read(text.subarray(at, at + step))
      assert.equal(finder.rows, 12)
      return finder.found
    }
    for (const sought of [undefined, 'LINE', '\n', '\\', 'n', '🐘', 'οδος', 'strasse']) {
      const whole = read(text.length, sought)
      for (const step of [1, 2, 3, 7, 64, 1000]) assert.deepEqual(read(step, sought), whole, `${sought} by ${step}`)
    }
    assert.deepEqual(first(read(5, '\\N')), [2])
    assert.deepEqual(first(read(5, '\t')), [1])
  })

  it('are found by a text in any case and any column, but not in NULL', async () => {
    const id = await bench.backUp(await bench.database(nasty))
    const ids = async (search: string, options: Partial<FindRowsOptions> = {}) =>
      first((await rowsOf(id, 'nasty', { search, ...options })).rows)
    assert.deepEqual(await ids('strasse'), [7])
    assert.deepEqual(await ids('οδοσ'), [7])
    assert.deepEqual(await ids('null'), [4]) // the word, in an array
    assert.deepEqual(await ids('\\N'), [2])
    assert.deepEqual(await ids('1'), [1, 10, 11, 12])
    assert.deepEqual(await ids('1', { column: 'v' }), [])
    assert.deepEqual(await ids('NO TAB', { column: 'v' }), [10])
    assert.deepEqual(await ids('1', { offset: 1, limit: 2 }), [10, 11])
    await assert.rejects(
      ids('1', { column: 'w' }),
      (error) => hasCode(error, 'usage-invalid') && /no column w/.test(error.message),
    )
  })

  it('may be longer than memory should hold, and are searched to their end', async () => {
    const id = await bench.backUp(
      await bench.database(
        "CREATE TABLE wide AS SELECT 1 AS id, repeat('0123456789', 3000000) || 'Needle' || repeat('x', 100000) AS v UNION ALL SELECT 2, 'small'",
      ),
    )
    const { rows } = await rowsOf(id, 'wide', { search: '9needlex' })
    assert.deepEqual(
      rows.map(([row, v]) => [row, v?.length, v?.at(-1)]),
      [['1', 1001, '…']],
    )
    const search = { text: 'needle', column: undefined }
    const finder = new RowFinder({ columns: 1, encoding: textEncoding('UTF8'), search, skip: 0, limit: 1 })
    const piece = Buffer.alloc(2 ** 20, '0123456789')
    const before = process.memoryUsage().arrayBuffers
    for (let count = 0; count < 200; count++) finder.read(piece)
    assert.ok(process.memoryUsage().arrayBuffers - before < 2 ** 20)
    finder.read(Buffer.from('NeEdLe\n'))
    assert.equal(finder.found.length, 1)
  })

  it('end at the limit: what lies behind is not even looked at', async () => {
    const source = await bench.database('CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 30000) i')
    const id = await bench.backUp(source)
    const reader = await bench.repository.openReader()
    const manifest = await readManifest(reader, await backupOf(id))
    const lists = manifest.tables[0]?.parts[0]?.lists ?? []
    const last = (await reader.readList(lists.at(-1) ?? '')).at(-1)
    assert.ok(last)
    await harm(last)
    const begin = await rowsOf(id, 't', { limit: 100 })
    assert.deepEqual(
      first(begin.rows),
      Array.from({ length: 100 }, (_, index) => index + 1),
    )
    assert.deepEqual([begin.more, begin.searched, begin.damages], [true, 100, []])
    const { rows, more, searched, damages } = await rowsOf(id, 't', { search: '9999' })
    assert.ok(first(rows).includes(9999) && searched < 30000 && !more)
    assert.match(damages[0]?.message ?? '', /^table public\.t: packs\/.* is damaged/)
  })

  /** Flips a bit of every copy of a chunk. */
  async function harm(chunk: Buffer): Promise<void> {
    const { packs, blobs } = await Inventory.load(bench.repository.context)
    for (const blob of blobs.copies(chunk)) {
      const { pack, offset } = blobs.place(blob)
      const name = packs[pack]?.name ?? ''
      const path = join(bench.repository.store.location, 'packs', name.slice(0, 2), name)
      const bytes = await readFile(path)
      bytes.writeUInt8(bytes.readUInt8(offset + 20) ^ 1, offset + 20)
      await writeFile(path, bytes)
    }
  }

  it('of a partitioned table are those of its partitions, whose columns may stand in another order', async () => {
    const source = await bench.database(`
      CREATE TABLE sales (id int, region text) PARTITION BY LIST (region);
      CREATE TABLE sales_eu PARTITION OF sales FOR VALUES IN ('eu');
      CREATE TABLE sales_us (region text, id int); ALTER TABLE sales ATTACH PARTITION sales_us FOR VALUES IN ('us');
      CREATE TABLE sales_empty PARTITION OF sales DEFAULT; INSERT INTO sales SELECT i, CASE i % 2 WHEN 0 THEN 'eu' ELSE 'us' END FROM generate_series(1, 10) i;
      CREATE TABLE bare (); INSERT INTO bare SELECT FROM generate_series(1, 3)`)
    const id = await bench.backUp(source)
    const { rows, searched } = await rowsOf(id, 'sales', { search: 'u' })
    assert.deepEqual(
      new Set(rows.map(([sale, region]) => `${sale} ${region}`)),
      new Set(Array.from({ length: 10 }, (_, i) => `${i + 1} ${i % 2 === 1 ? 'eu' : 'us'}`)),
    )
    assert.equal(searched, 10)
    const { rows: eastern } = await rowsOf(id, 'sales', { search: 's', column: 'region', offset: 1, limit: 2 })
    assert.deepEqual(
      eastern.map(([, region]) => region),
      ['us', 'us'],
    )
    assert.deepEqual((await rowsOf(id, 'bare')).rows, [[], [], []])
  })

  it('are told in the encoding of the database', async () => {
    const text = "SELECT 1 AS id, 'Zürich' AS v"
    for (const encoding of ['LATIN1', 'LATIN9', 'WIN1252', 'EUC_CN']) {
      const source = await bench.database(
        `CREATE TABLE t AS ${encoding === 'EUC_CN' ? text.replace('Zürich', '北京') : text}`,
        { encoding },
      )
      const { rows, notes } = await rowsOf(await bench.backUp(source), 't', {
        search: encoding === 'EUC_CN' ? '京' : 'ÜRI',
      })
      assert.deepEqual([rows, notes], [[['1', encoding === 'EUC_CN' ? '北京' : 'Zürich']], []], encoding)
    }
    const bytes = await bench.database(
      String.raw`CREATE TABLE t AS SELECT 1 AS id, 'Zürich' AS v UNION ALL SELECT 2, E'Z\xfcrich'`,
      { encoding: 'SQL_ASCII' },
    )
    const { rows, notes } = await rowsOf(await bench.backUp(bytes), 't')
    assert.deepEqual(rows, [
      ['1', 'Zürich'],
      ['2', String.raw`Z\xfcrich`],
    ])
    assert.match(notes.join(), /SQL_ASCII/)
    const taiwan = await bench.database("CREATE TABLE t AS SELECT 'taipei 中' AS v", { encoding: 'EUC_TW' })
    const { rows: odd, notes: told } = await rowsOf(await bench.backUp(taiwan), 't', { search: 'PEI' })
    assert.deepEqual(odd, [[String.raw`taipei \xc4\xe3`]])
    assert.match(told.join(' '), /EUC_TW is not known here/)
  })

  it('of what is no table, or has none here, are refused with the reason', async () => {
    const source = await bench.database(`
      CREATE TABLE orders (id int); CREATE VIEW seen AS SELECT * FROM orders; CREATE SCHEMA other; CREATE TABLE other.orders (id int);
      CREATE TABLE secret AS SELECT 1 AS id`)
    const id = await bench.backUp(source, { selection: { excludeTableData: ['secret'] } })
    const refused = async (code: 'selection-empty' | 'usage-invalid', said: RegExp, name: string, schema?: string) =>
      assert.rejects(
        rowsOf(id, name, schema === undefined ? {} : { schema }),
        (error) => hasCode(error, code) && said.test(`${error.message}; ${error.hint}`),
      )
    await refused('selection-empty', /no table order; did you mean orders\?/, 'order')
    await refused('selection-empty', /no table public\.ordres; did you mean public\.orders\?/, 'ordres', 'public')
    await refused('selection-empty', /seen is a view/, 'seen')
    await refused('usage-invalid', /several tables are named orders; .*public\.orders/, 'orders')
    await refused('usage-invalid', /holds no rows of public\.secret/, 'secret')
    assert.deepEqual((await rowsOf(id, 'orders', { schema: 'other' })).rows, [])
  })
})
