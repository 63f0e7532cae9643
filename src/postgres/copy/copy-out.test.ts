import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { hasCode } from '../../core/app-error.ts'
import { Connection } from '../wire/connection.ts'
import { startTestServer, type TestServer } from '../server/test-server.ts'

const mask = 0xffff_ffff_ffff_ffffn
const [p1, p2, p3, p4, p5] = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const
const rotate = (x: bigint, by: bigint) => ((x << by) | (x >> (64n - by))) & mask
const round = (accumulator: bigint, input: bigint) => (rotate((accumulator + input * p2) & mask, 31n) * p1) & mask

/** xxh64 with seed 0, written down from its specification. */
function xxh64(bytes: Buffer): bigint {
  let at = 0
  let hash: bigint = p5
  if (bytes.length >= 32) {
    const lanes = [(p1 + p2) & mask, p2, 0n, -p1 & mask]
    for (; at + 32 <= bytes.length; at += 32) {
      for (const [i, lane] of lanes.entries()) lanes[i] = round(lane, bytes.readBigUInt64LE(at + i * 8))
    }
    hash = lanes.reduce((sum, lane, i) => sum + rotate(lane, [1n, 7n, 12n, 18n][i] ?? 0n), 0n) & mask
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * p1 + p4) & mask
  }
  hash = (hash + BigInt(bytes.length)) & mask
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (rotate(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * p1 + p4) & mask
  }
  if (at + 4 <= bytes.length) {
    hash = (rotate(hash ^ ((BigInt(bytes.readUInt32LE(at)) * p1) & mask), 23n) * p2 + p3) & mask
    at += 4
  }
  for (; at < bytes.length; at++) hash = (rotate(hash ^ ((BigInt(bytes[at] ?? 0) * p5) & mask), 11n) * p1) & mask
  hash = ((hash ^ (hash >> 33n)) * p2) & mask
  hash = ((hash ^ (hash >> 29n)) * p3) & mask
  return hash ^ (hash >> 32n)
}

describe('copying out', () => {
  let server: TestServer
  let connection: Connection
  before(async () => {
    server = await startTestServer()
    connection = await server.connect()
    await connection.execute(
      "CREATE TABLE t AS SELECT i, repeat(chr(97 + i % 26), (i * 7919) % 200) AS s, NULLIF(i % 3, 0) AS n FROM generate_series(1, 20000) i; INSERT INTO t VALUES (0, repeat('wide', 300000), 1)",
    )
  })
  after(async () => {
    await connection[Symbol.asyncDispose]()
    await using last = await server.connect()
    const left = await last.query(
      "SELECT query FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    )
    await last[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
    assert.deepEqual(left, [], 'no session is left over')
  })

  it('yields the rows and their digest, and leaves the connection usable', async () => {
    const copy = connection.copyOut('COPY t TO STDOUT')
    assert.throws(() => copy.digest, /only once all of it has been read/)
    const pieces: Buffer[] = []
    for await (const piece of copy) pieces.push(Buffer.from(piece))
    const text = Buffer.concat(pieces)
    const lines = text.toString().split(/(?<=\n)/)
    const hash = lines.reduce((sum, line) => sum + xxh64(Buffer.from(line)), 0n) & mask
    assert.deepEqual(copy.digest, { rows: 20_001, bytes: text.length, hash })
    const [[expected] = []] = await connection.query(
      "SELECT sum(length(concat_ws('-', i, s, COALESCE(n, 10)) || '-')) FROM t",
    )
    assert.equal(text.length, Number(expected))
    await assert.rejects(async () => {
      for await (const _ of copy);
    }, /only once/)
  })

  it('passes an empty table, and binary rows', async () => {
    const empty = connection.copyOut('COPY (SELECT 1 WHERE false) TO STDOUT')
    for await (const _ of empty) assert.fail()
    assert.deepEqual(empty.digest, { rows: 0, bytes: 0, hash: 0n })
    let bytes = 0
    for await (const piece of connection.copyOut('COPY t TO STDOUT (FORMAT binary)')) bytes += piece.length
    assert.ok(bytes > 1_200_000)
  })

  it('keeps notices apart from rows', async () => {
    const notices: string[] = []
    await using listening = await Connection.connect(server.target, {
      onNotice: (notice) => notices.push(notice.message),
    })
    await listening.execute(
      "CREATE FUNCTION pg_temp.say(i int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'row %', i; PERFORM set_config('application_name', 'app ' || i, false); RETURN i; END $$",
    )
    const copy = listening.copyOut('COPY (SELECT pg_temp.say(i) FROM generate_series(1, 500) i) TO STDOUT')
    let text = ''
    for await (const piece of copy) text += Buffer.from(piece).toString()
    assert.deepEqual(text, Array.from({ length: 500 }, (_, i) => `${i + 1}\n`).join(''))
    assert.equal(notices.length, 500)
    assert.equal(listening.parameters.get('application_name'), 'app 500')
  })

  it('reports an error before the first row and in the middle, and stays usable', async () => {
    const drain = async (sql: string) => {
      for await (const _ of connection.copyOut(sql));
    }
    await assert.rejects(drain('COPY nothing TO STDOUT'), (error) => hasCode(error, 'query-failed'))
    await assert.rejects(
      drain('COPY (SELECT 1 / (1500 - i), s FROM t) TO STDOUT'),
      (error) => hasCode(error, 'query-failed') && error.message === 'division by zero',
    )
    await assert.rejects(drain('SELECT 1'), (error) => hasCode(error, 'query-failed'))
    assert.deepEqual(await connection.query('SELECT 1'), [['1']])
  })

  it('reads no further ahead than its buffers while nobody asks', async () => {
    await using reader = await server.connect()
    const copy = reader.copyOut("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 100000)) TO STDOUT")
    const rows = copy[Symbol.asyncIterator]()
    await rows.next()
    const before = process.memoryUsage().arrayBuffers
    await new Promise((resolve) => setTimeout(resolve, 300))
    assert.ok(process.memoryUsage().arrayBuffers - before < 4_000_000)
    let pieces = 0
    while (!(await rows.next()).done) pieces++
    assert.ok(pieces > 100)
    assert.equal(copy.digest.rows, 100_000)
  })

  it('ends the connection when it is left early', async () => {
    await using leaving = await server.connect()
    for await (const _ of leaving.copyOut('COPY (SELECT s FROM t, generate_series(1, 100000)) TO STDOUT')) break
    await assert.rejects(leaving.query('SELECT 1'), (error) => hasCode(error, 'connection-lost'))
    assert.deepEqual(await activeCopies(), [['0']])
  })

  it('stops on an abort', async () => {
    await using aborted = await server.connect()
    const reason = new Error('enough')
    const abort = new AbortController()
    await assert.rejects(
      async () => {
        const copy = aborted.copyOut('COPY (SELECT s FROM t, generate_series(1, 100000)) TO STDOUT', abort)
        for await (const _ of copy) setTimeout(() => abort.abort(reason), 20)
      },
      (error) => error === reason,
    )
    assert.deepEqual(await activeCopies(), [['0']])
  })

  it('tells that the server ended the session in the middle', async () => {
    await using victim = await server.connect()
    await assert.rejects(
      async () => {
        let pieces = 0
        for await (const _ of victim.copyOut('COPY (SELECT s FROM t, generate_series(1, 100000)) TO STDOUT')) {
          if (++pieces === 20) await connection.query(`SELECT pg_terminate_backend(${victim.processId})`)
        }
      },
      (error) => hasCode(error, 'connection-lost'),
    )
    await assert.rejects(victim.query('SELECT 1'), (error) => hasCode(error, 'connection-lost'))
  })

  const activeCopies = () =>
    connection.query(
      "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%' AND pid <> pg_backend_pid()",
    )
})
