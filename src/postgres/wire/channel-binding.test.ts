import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { tlsServerEndPoint } from './channel-binding.ts'

const pss = ['-sigopt', 'rsa_padding_mode:pss']
const kinds: readonly [string, string | undefined, readonly string[]][] = [
  ['RSA with SHA-1', 'sha256', ['rsa:2048', '-sha1']],
  ['RSA with SHA-256', 'sha256', ['rsa:2048', '-sha256']],
  ['RSA with SHA-512', 'sha512', ['rsa:2048', '-sha512']],
  ['RSA-PSS with SHA-384', 'sha384', ['rsa:2048', '-sha384', ...pss]],
  ['RSA-PSS with its default', 'sha256', ['rsa:2048', '-sha1', ...pss]],
  ['ECDSA with SHA-256', 'sha256', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-sha256']],
  ['ECDSA with SHA-384', 'sha384', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384', '-sha384']],
  ['Ed25519', undefined, ['ed25519']],
]

describe('tls-server-end-point', () => {
  let directory = ''
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'binding-'))
  })
  after(() => rm(directory, { recursive: true }))

  for (const [name, hash, options] of kinds) {
    it(`takes the hash of the signature: ${name}`, async () => {
      const request = ['req', '-x509', '-nodes', '-subj', '/CN=x', '-keyout', 'key', '-out', 'crt', '-newkey']
      await promisify(execFile)('openssl', [...request, ...options], { cwd: directory })
      const { raw } = new X509Certificate(await readFile(join(directory, 'crt')))
      const expected = hash === undefined ? undefined : createHash(hash).update(raw).digest()
      assert.deepEqual(tlsServerEndPoint(raw), expected)
    })
  }
})
