import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasCode } from '../core/app-error.ts'
import { ByteReader } from './byte-reader.ts'
import { copyRows } from './copy-rows.ts'
import { ScriptReader } from './script-reader.ts'

async function* inPieces(text: string, pieceBytes: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

/** Statements, commands and rows, each as one text. */
async function read(text: string, pieceBytes: number): Promise<{ parts: string[]; complete: boolean }> {
  const reader = new ByteReader(inPieces(text, pieceBytes))
  const script = new ScriptReader(reader)
  const parts: string[] = []
  for (let part = await script.next(); part; part = await script.next()) {
    if (part.kind === 'command') {
      parts.push(part.text)
      continue
    }
    parts.push(part.sql)
    if (!part.sql.startsWith('COPY')) continue
    await script.endLine()
    parts.push(Buffer.concat(await Array.fromAsync(copyRows(reader))).toString())
  }
  return { parts, complete: script.complete }
}

const statements = [
  `CREATE TABLE "a;b" (c text DEFAULT ';''--' /* ; /* ; */ */);`,
  `CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $_$BEGIN; -- '\n\\! no command\nEND;$_$;`,
  'CREATE FUNCTION g() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;',
  `SELECT E'\\';';`,
  `INSERT INTO t VALUES ('${'x'.repeat(200_000)}');`,
]
const rows = 'a\\\\.b\t\\N\n\\\\.\n\\.x\n'

describe('a script is read statement by statement, however its bytes come', () => {
  for (const pieceBytes of [1, 7, 4096, 1e6]) {
    it(`${pieceBytes} at a time`, async () => {
      const [first = '', ...others] = statements
      const text = [
        '--\n-- a comment; with a semicolon\n--\n\n\\restrict abc\n\n',
        `${first}\n\nCOPY t FROM stdin;\n${rows}\\.\n\n\nCOPY t FROM stdin;\n\\.\n`,
        `${others.join('\n\n')}\n`,
        '--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict abc\n\n',
      ].join('')
      if (pieceBytes === 1) return assert.ok((await read(text.replace(/x{9,}/, 'x'), 1)).complete)
      const found = await read(text, pieceBytes)
      const copy = 'COPY t FROM stdin;'
      assert.deepEqual(found.parts, ['\\restrict abc', first, copy, rows, copy, '', ...others, '\\unrestrict abc'])
      assert.ok(found.complete)
    })
  }

  it('says when it ends within a statement, a quote or a table', async () => {
    for (const text of ['SELECT 1', "SELECT 'a;\n", 'COPY t FROM stdin;', 'COPY t FROM stdin;\na\n', 'SELECT $x$ ;']) {
      await assert.rejects(read(text, 5), (error) => hasCode(error, 'dump-damaged'), text)
    }
  })

  it('takes no backslash within a statement', async () => {
    await assert.rejects(read('SELECT 1 \\gexec\n', 100), (error) => hasCode(error, 'dump-damaged'))
  })
})
