import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { hasCode } from '../../core/app-error.ts'
import type { Connection } from '../wire/connection.ts'
import { startTestServer, type TestServer } from '../server/test-server.ts'

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const memory = new Uint8Array(size)
  for (let at = 0; at < bytes.length; at += size) {
    const piece = bytes.subarray(at, at + size)
    // Like a CopyOut's: gone when the next one is asked for.
    memory.set(piece)
    yield memory.subarray(0, piece.length)
  }
}

describe('copying in', () => {
  let server: TestServer
  let connection: Connection
  before(async () => {
    server = await startTestServer()
    connection = await server.connect()
    await connection.execute('CREATE TABLE t (i int, b bytea)')
  })
  after(async () => {
    await connection[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  const contents = async () => {
    const pieces: Buffer[] = []
    const copy = connection.copyOut('COPY (SELECT * FROM t ORDER BY i) TO STDOUT')
    for await (const piece of copy) pieces.push(Buffer.from(piece))
    return Buffer.concat(pieces)
  }

  it('takes back what was copied out, cut in any way', async () => {
    const rows = Array.from({ length: 2000 }, (_, i) => `${i}\t\\\\x${randomBytes(i % 200).toString('hex')}\n`)
    const text = Buffer.from(rows.join(''))
    for (const size of [1, 7, 65_536, 131_067, 1_000_000]) {
      await connection.execute('TRUNCATE t')
      await connection.copyIn('COPY t FROM STDIN', cut(text, size))
      assert.ok((await contents()).equals(text), `pieces of ${size}`)
    }
    await connection.copyIn('COPY t FROM STDIN', cut(new Uint8Array(), 1))
    assert.deepEqual(await connection.query('SELECT count(*) FROM t'), [['2000']])
  })

  it('streams a table from one connection to another, with the same digest', async () => {
    await connection.execute(
      "CREATE TABLE big AS SELECT i, repeat('ä\\\\' || chr(10), i % 90) AS s FROM generate_series(1, 100000) i; CREATE TABLE copy (LIKE big)",
    )
    await using source = await server.connect()
    const out = source.copyOut('COPY big TO STDOUT')
    await connection.copyIn('COPY copy FROM STDIN', out)
    const back = connection.copyOut('COPY copy TO STDOUT')
    for await (const _ of back);
    assert.deepEqual(back.digest, out.digest)
  })

  it('stops reading the source once the server refuses the data, and stays usable', async () => {
    let yielded = 0
    let closed = false
    async function* endless() {
      try {
        yield Buffer.from('not a number\n')
        for (; yielded < 1000; yielded++) yield Buffer.alloc(65_536, '1\tx\n')
      } finally {
        closed = true
      }
    }
    await assert.rejects(
      connection.copyIn('COPY t FROM STDIN', endless()),
      (error) => hasCode(error, 'query-failed') && error.message.startsWith('invalid input syntax for type integer'),
    )
    assert.ok(closed && yielded < 1000)
    assert.deepEqual(await connection.query('SELECT 1'), [['1']])
  })

  it('undoes the copy when the source fails, and throws its error', async () => {
    await connection.execute('TRUNCATE t')
    const failure = new Error('disk gone')
    async function* failing() {
      yield Buffer.from('1\t\\\\x00\n')
      throw failure
    }
    await assert.rejects(connection.copyIn('COPY t FROM STDIN', failing()), (error) => error === failure)
    assert.deepEqual(await connection.query('SELECT count(*) FROM t'), [['0']])
  })

  it('reports what is wrong with the statement', async () => {
    const nothing = cut(new Uint8Array(), 1)
    await assert.rejects(connection.copyIn('COPY nothing FROM STDIN', nothing), (error) =>
      hasCode(error, 'query-failed'),
    )
    await assert.rejects(connection.copyIn('SELECT 1', nothing), (error) => hasCode(error, 'query-failed'))
    await assert.rejects(connection.query('COPY t FROM STDIN'), (error) => hasCode(error, 'query-failed'))
    assert.deepEqual(await connection.query('SELECT 1'), [['1']])
  })

  it('stops on an abort and when the server ends the session', async () => {
    const endless = async function* () {
      for (;;) {
        yield Buffer.from('1\t\\\\x00\n'.repeat(1000))
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await using aborted = await server.connect()
    const signal = AbortSignal.timeout(100)
    await assert.rejects(aborted.copyIn('COPY t FROM STDIN', endless(), { signal }), (error) => error === signal.reason)
    await using victim = await server.connect()
    setTimeout(() => void connection.query(`SELECT pg_terminate_backend(${victim.processId})`), 100)
    await assert.rejects(victim.copyIn('COPY t FROM STDIN', endless()), (error) => hasCode(error, 'connection-lost'))
    assert.deepEqual(await connection.query('SELECT count(*) FROM t'), [['0']])
  })
})
