import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Connection } from '../wire/connection.ts'
import { loadRows } from './load-rows.ts'
import { RowEncoder, binaryHeader, binaryTrailer } from './row-encoder.ts'
import { prepareForLoading } from '../wire/session-settings.ts'
import { type TestServer, startTestServer } from '../server/test-server.ts'

/** A column of every type that is converted, with the function that reads its binary form. */
const columns = [
  ['b', 'bool', 'boolrecv'],
  ['i2', 'int2', 'int2recv'],
  ['i4', 'int4', 'int4recv'],
  ['i8', 'int8', 'int8recv'],
  ['d', 'date', 'date_recv'],
  ['ts', 'timestamp', 'timestamp_recv'],
  ['tz', 'timestamptz', 'timestamptz_recv'],
  ['t', 'time', 'time_recv'],
  ['n', 'numeric', 'numeric_recv'],
  ['n2', 'numeric(40,7)', 'numeric_recv'],
  ['u', 'uuid', 'uuid_recv'],
  ['by', 'bytea', 'bytearecv'],
  ['tx', 'text', 'textrecv'],
  ['vc', 'varchar(2000)', 'varcharrecv'],
  ['bp', 'char(9)', 'bpcharrecv'],
  ['j', 'json', 'json_recv'],
  ['jb', 'jsonb', 'jsonb_recv'],
  ['e', 'mood', 'enum_recv'],
  ['dom', 'digits', 'textrecv'],
] as const

/** Values of the first columns at the ends of what is converted. */
const edges = `
  (true, -32768, -2147483648, -9223372036854775808, '0001-01-01', '0001-01-01 00:00', '0001-01-01 00:00Z', '00:00'),
  (false, 32767, 2147483647, 9223372036854775807, '9999-12-31', '9999-12-31 23:59:59.999999',
    '9999-12-31 23:59:59.9Z', '23:59:59.999999'),
  (true, 0, -1, 999999999999999999, '2000-02-29', '1999-12-31 23:59:59.000001', '1970-01-01Z', '12:00:00.1'),
  (false, -1, 10, -1000000000000000000, '1900-02-28', '2024-02-29 12:34:56.78', '2000-01-01 00:00:00.000010Z', '01:02:03')`

const rowsOfEveryKind = `
  INSERT INTO source (b, i2, i4, i8, d, ts, tz, t) VALUES ${edges};
  INSERT INTO source SELECT
    i % 2 = 0, i % 30000 - 15000, (random() * 2e9 - 1e9)::int4, ((random() - 0.5) * 1.8e19)::int8,
    '0001-01-01'::date + i * 181, '1800-01-01'::timestamp + i * interval '1.7 days 3.000007 s',
    '2030-01-01'::timestamptz - i * interval '9 days 0.1 s', time '00:00' + i * interval '4.3 s',
    ((random() - 0.5) * 10 ^ (i % 30))::numeric(50, 20) / power(10::numeric, i % 17),
    round(((random() - 0.5) * 10 ^ (i % 20))::numeric, i % 8), gen_random_uuid(), sha512(i::text::bytea),
    chr(i % 32 + 1) || E'tab\\tline\\nreturn\\rbackslash\\\\' || repeat(chr(i % 3000 + 250), i % 50), repeat('\\N', i % 40),
    i, ('{ "a" :  ' || i || ', "b":"\\\\n" }')::json, jsonb_build_object('i', i, 's', repeat('"', i % 20)),
    (ARRAY['sad', 'fine', 'ü "''\\']::mood[])[i % 3 + 1], i
  FROM generate_series(1, 20000) i;
  INSERT INTO source (n) SELECT v::numeric FROM unnest('{0,0.0,-0.00,1,-1,10,9999,10000,-10001,0.1,0.01,0.001,0.0001,
    0.00001,123.456,1234.5678,12345.67890,100000000,100000000.00010000,99999999999999999999999999999.99999}'::text[]) v;
  INSERT INTO source (by, tx, vc, bp, j, jb) VALUES ('', '', '', '', '""', '""'), ('\\x00ff', 'NULL', '\\', 'a', '1', 'null'),
    (decode(repeat('5c', 60000), 'hex'), repeat(E'\\\\', 60000), '\\.', ' ', '[]', '[]'), (NULL, NULL, NULL, NULL, NULL, NULL)`

describe('rows of COPY text are loaded', { timeout: 120_000 }, () => {
  let server: TestServer
  let connection: Connection
  before(async () => {
    server = await startTestServer()
    connection = await Connection.connect(await server.createDatabase())
    await prepareForLoading(connection)
    const list = columns.map(([name, type]) => `${name} ${type}`).join(', ')
    await connection.execute(
      `SET search_path = public; CREATE TYPE mood AS ENUM ('sad', 'fine', 'ü "''\\');
       CREATE DOMAIN short AS text CHECK (length(VALUE) < 100); CREATE DOMAIN digits AS short CHECK (VALUE ~ '^\\d+$');
       CREATE TABLE source (${list}); CREATE TABLE target (${list}, CONSTRAINT not_13 CHECK (i4 <> 13))`,
    )
    await connection.execute(rowsOfEveryKind)
  })
  after(async () => {
    await connection[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  const textOf = async (table: string) => {
    const pieces: Buffer[] = []
    for await (const piece of connection.copyOut(`COPY ${table} TO STDOUT`)) pieces.push(Buffer.from(piece))
    return Buffer.concat(pieces)
  }
  /** Autovacuum may have rows put into gaps. */
  const expectLoaded = async (text: Buffer, what?: string) => {
    const sorted = (lines: Buffer) => lines.toString().split('\n').toSorted()
    assert.deepEqual(sorted(await textOf('target')), sorted(text), what)
  }
  const load = (rows: AsyncIterable<Uint8Array>) => {
    const table = { schema: 'public', name: 'target', columns: columns.map(([name]) => name) }
    return loadRows(connection, table, rows, { bytes: Infinity, freeze: false })
  }
  async function* cut(text: Buffer, size: number): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < text.length; at += size) yield text.subarray(at, at + size)
  }

  it('in the binary format as exactly what they were, for every type that is converted', async () => {
    const encoder = RowEncoder.for(columns.map(([, , receive]) => receive))
    assert.ok(encoder)
    const text = await textOf('source')
    await connection.copyIn(
      'COPY target FROM STDIN (FORMAT binary)',
      (async function* () {
        yield binaryHeader
        for (let at = 0; at < text.length; at += 50_000) yield* encoder.encode(text.subarray(at, at + 50_000))
        yield binaryTrailer
      })(),
    )
    assert.equal(encoder.hasGivenUp, false)
    assert.equal(encoder.rest.length, 0)
    await expectLoaded(text)
    // numerics are the same inside, too
    const differing = await connection.query(
      `SELECT count(*) FROM (SELECT n, n2, numeric_send(n), numeric_send(n2) FROM source
         EXCEPT ALL SELECT n, n2, numeric_send(n), numeric_send(n2) FROM target) AS d`,
    )
    assert.deepEqual(differing, [['0']])
  })

  it('however they are cut', async () => {
    for (const size of [1, 13, 20_000]) {
      const longest = size < 20_000 ? 1000 : 1_000_000
      const text = await textOf(
        `(SELECT * FROM source s WHERE (i4 IS NULL OR i4 % 200 = 0) AND length(s::text) < ${longest})`,
      )
      await connection.execute('TRUNCATE target')
      await load(cut(text, size))
      await expectLoaded(text, `in pieces of ${size}`)
    }
  })

  it('as text from the first row on that has another form', async () => {
    const odd = [
      "SELECT 'infinity'::date AS d",
      "SELECT '0044-03-15 BC'::date AS d",
      "SELECT '10000-01-01'::date AS d",
      "SELECT '-infinity'::timestamp AS ts",
      "SELECT '24:00'::time AS t",
      "SELECT 'NaN'::numeric AS n",
      'SELECT 1e70::numeric AS n',
      "SELECT repeat('long ', 200000) AS tx",
    ]
    for (const select of odd) {
      await connection.execute(
        `TRUNCATE source, target; INSERT INTO source (i4) SELECT generate_series(100, 200);
         WITH odd AS (${select}) INSERT INTO source (${/AS (\w+)$/.exec(select)?.[1] ?? ''}) SELECT * FROM odd;
         INSERT INTO source (i4) SELECT generate_series(300, 400)`,
      )
      const text = await textOf('source')
      await load(cut(text, 1000))
      await expectLoaded(text, select)
    }
  })

  it('and refused with the words of the server, with nothing loaded and the source closed', async () => {
    await connection.execute('TRUNCATE source, target; INSERT INTO source (i4) SELECT generate_series(1, 20)')
    let closed = false
    const text = await textOf('source')
    const rows = async function* () {
      try {
        for (let times = 0; times < 100_000; times++) yield text
      } finally {
        closed = true
      }
    }
    await assert.rejects(load(rows()), /check constraint "not_13"/)
    assert.equal(closed, true)
    // a line that is not PostgreSQL's reaches the server as it is
    const line = '\t'.repeat(columns.length - 1)
    await assert.rejects(
      load(cut(Buffer.from(`t\tx1${line.slice(1)}\n`), 9)),
      /invalid input syntax for type smallint: "x1"/,
    )
    await assert.rejects(load(cut(Buffer.from(`t\t40000${line.slice(1)}\n`), 9)), /out of range/)
    await assert.rejects(load(cut(Buffer.from(`t\n`), 9)), /missing data/)
    assert.equal((await textOf('target')).length, 0)
  })
})
