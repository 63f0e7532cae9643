import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { hasCode } from '../core/app-error.ts'
import { type UnwrapOptions, unwrap } from './unwrap.ts'

const script = Buffer.from(`--\n-- PostgreSQL database dump\n--\n\n${'SELECT 1;\n'.repeat(50_000)}`)
const secret = 'correct horse'

function encrypt(clear: Buffer, ...options: string[]): Buffer {
  const openssl = ['enc', '-aes-256-cbc', '-salt', ...options, '-pass', 'env:SECRET']
  return execFileSync('openssl', openssl, { input: clear, env: { ...process.env, SECRET: secret }, stdio: 'pipe' })
}

async function* inPieces(bytes: Buffer, pieceBytes = 1000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

async function contents(bytes: Buffer, options: Partial<UnwrapOptions> = {}): Promise<Buffer> {
  const { reader } = await unwrap(inPieces(bytes), { passphrase: async () => secret, ...options })
  return Buffer.concat(await Array.fromAsync(reader.rest()))
}

describe('what is around a dump is taken off, as its first bytes say', () => {
  for (const [name, wrapped] of [
    ['gzip', gzipSync(script)],
    ['several gzip files in one', Buffer.concat([gzipSync(script.subarray(0, 99)), gzipSync(script.subarray(99))])],
    ['zstd', zstdCompressSync(script)],
    ['openssl enc -pbkdf2', encrypt(script, '-pbkdf2')],
    ['openssl enc without -pbkdf2', encrypt(script)],
    ['openssl enc of OpenSSL 1.0', encrypt(script, '-md', 'md5')],
    ['gzip, then openssl enc', encrypt(gzipSync(script), '-pbkdf2')],
    ['openssl enc, then zstd', zstdCompressSync(encrypt(script))],
  ] as const) {
    it(name, async () => {
      assert.ok((await contents(wrapped)).equals(script))
    })
  }

  it('-iter of openssl enc must be told', async () => {
    const wrapped = encrypt(script, '-pbkdf2', '-iter', '7')
    assert.ok((await contents(wrapped, { iterations: 7 })).equals(script))
    await assert.rejects(contents(wrapped), (error) => hasCode(error, 'dump-passphrase'))
  })

  it('says it when the passphrase is wrong or missing', async () => {
    for (const passphrase of ['wrong', undefined]) {
      const opening = contents(encrypt(gzipSync(script)), { passphrase: async () => passphrase })
      await assert.rejects(opening, (error) => hasCode(error, 'dump-passphrase'))
    }
  })

  for (const [name, whole] of [
    ['gzip', gzipSync(script)],
    ['zstd', zstdCompressSync(script)],
    ['openssl', encrypt(script)],
    ['gzip in openssl', encrypt(gzipSync(script))],
  ] as const) {
    it(`finds that ${name} was cut off, wherever`, async () => {
      for (const length of [whole.length - 1, whole.length - 16, Math.floor(whole.length / 2)]) {
        await assert.rejects(
          contents(whole.subarray(0, length)),
          (error) => hasCode(error, 'dump-damaged'),
          `${length}`,
        )
      }
    })
  }

  it('refuses what is empty, inside too', async () => {
    for (const empty of [Buffer.alloc(0), gzipSync(''), encrypt(gzipSync(''))]) {
      await assert.rejects(contents(empty), (error) => hasCode(error, 'dump-damaged'))
    }
  })

  it('names what it is not', async () => {
    for (const other of ['hello', 'BZh91AY', '-- PostgreSQL database cluster dump\n', 'PK\x03\x04']) {
      await assert.rejects(contents(Buffer.from(other)), (error) => hasCode(error, 'dump-unknown'))
    }
  })
})
