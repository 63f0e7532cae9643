import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { hasCode } from '../core/app-error.ts'
import { createTemporaryDirectory } from '../core/temporary-directory.ts'
import { TestClock } from '../service/test-clock.ts'
import { TestApi, goodPassword } from './test-api.ts'

const config = 'service: { tls: { certificate_file: tls.crt, key_file: tls.key } }'

/** In a directory of its own, with a certificate for 127.0.0.1. */
async function certified() {
  const directory = await createTemporaryDirectory('tls')
  const ca = await certify(directory.path, 'tls')
  return { ca, directory: directory.path, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() }
}

/** Makes NAME.crt, which is its own authority, and NAME.key; returns the certificate. */
async function certify(directory: string, name: string): Promise<string> {
  const [certificate, key] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)]
  const subject = ['-subj', '/CN=pgrevive', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2']
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', ...subject]
  await promisify(execFile)('openssl', [...words, '-keyout', key, '-out', certificate])
  return readFile(certificate, 'utf8')
}

describe('TLS by files', () => {
  it('is what all is served over, with cookies that go no other way', async () => {
    await using files = await certified()
    await using api = await TestApi.open({ ...files, config })
    assert.match(api.url, /^https:\/\/127\.0\.0\.1:\d+$/)
    assert.match(api.server.setupLink() ?? '', /^https:/)
    const person = await api.person('viewer', undefined, files)
    assert.notEqual((await person.whoAmI()).user, null)
    const again = await person.ask('POST', '/api/auth/sign-in/email', {
      email: 'viewer@example.com',
      password: goodPassword,
    })
    assert.match(again.headers['set-cookie']?.[0] ?? '', /^__Secure-pgrevive\.session_token=.*; Secure/)
    assert.equal(again.headers['strict-transport-security'], 'max-age=31536000')
  })

  it('speaks neither TLS 1.1 nor plain HTTP, and whoever tries that disturbs nobody', async () => {
    await using files = await certified()
    await using api = await TestApi.open({ ...files, config })
    const { port } = api.server.places
    const old = connectTls({ host: '127.0.0.1', port, ca: files.ca, minVersion: 'TLSv1', maxVersion: 'TLSv1.1' })
    await assert.rejects(once(old, 'secureConnect'))
    const plain = connect(port, '127.0.0.1')
    plain.end('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
    assert.doesNotMatch(await heard(plain), /200 OK/)
    assert.equal((await api.client(files).ask('GET', '/healthz')).status, 200)
  })

  it('takes a new certificate within a minute, and keeps the old one while the new one does not fit', async () => {
    await using files = await certified()
    const clock = new TestClock(new Date())
    await using api = await TestApi.open({ ...files, config, clock })
    const is = async (ca: string) => {
      const status = await api
        .client({ ca })
        .ask('GET', '/healthz')
        .then(({ status: answered }) => answered)
        .catch(() => undefined)
      return status === 200
    }
    assert.equal(await is(files.ca), true)
    const newer = await certify(files.directory, 'new')
    const put = (ending: string) =>
      rename(join(files.directory, `new.${ending}`), join(files.directory, `tls.${ending}`))
    await put('crt')
    await clock.advance(60_000)
    assert.deepEqual([await is(files.ca), await is(newer)], [true, false], 'its key is not there yet')
    assert.match(api.lines.map(({ path }) => path).join('\n'), /the new certificate is not used, the old one still is/)
    await put('key')
    await clock.advance(60_000)
    assert.deepEqual([await is(files.ca), await is(newer)], [false, true])
  })

  it('is refused with the reason where certificate and key do not fit, or are none', async () => {
    await using files = await certified()
    const other = await certify(files.directory, 'other')
    const [certificate, key] = [join(files.directory, 'tls.crt'), join(files.directory, 'tls.key')]
    const refused = async (message: RegExp) => {
      await assert.rejects(TestApi.open({ directory: files.directory, config }), (error: Error) => {
        assert.ok(hasCode(error, 'config-invalid'), String(error))
        assert.match(error.message, message)
        assert.match(error.hint ?? '', /"certificate_file:" and "key_file:" of "tls:"/)
        return true
      })
    }
    const good = await readFile(key, 'utf8')
    await writeFile(key, await readFile(join(files.directory, 'other.key')))
    await refused(/tls\.key is not the key of .*tls\.crt/)
    await writeFile(key, other)
    await refused(/tls\.key holds no private key/)
    await writeFile(key, '')
    await refused(/tls\.key holds no private key/)
    const locked = ['ec', '-in', join(files.directory, 'other.key'), '-aes256', '-passout', 'pass:secret', '-out', key]
    await promisify(execFile)('openssl', locked)
    await refused(/passphrase/)
    await writeFile(key, good)
    await writeFile(certificate, 'no certificate')
    await refused(/tls\.crt holds no certificate/)
    await rename(certificate, `${certificate}.gone`)
    await refused(/can not be read.*tls\.crt/)
  })
})

/** All that the other side says, until it ends or breaks off. */
async function heard(socket: ReturnType<typeof connect>): Promise<string> {
  let text = ''
  socket.on('data', (data) => (text += data.toString('latin1'))).on('error', () => undefined)
  await new Promise((resolve) => socket.once('close', resolve))
  return text
}
