import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { hasCode, type ErrorCode } from '../../core/app-error.ts'
import { Connection } from './connection.ts'
import { resolveConnection, type Environment } from '../target/connection-target.ts'
import { findServerAccount } from '../server/server-account.ts'
import { startTestServer, type TestServer } from '../server/test-server.ts'

const rules = `
local     all all                     trust
host      all trusted     127.0.0.1/32 trust
host      all cleartext   127.0.0.1/32 password
host      all hashed      127.0.0.1/32 md5
host      all scrambled   127.0.0.1/32 scram-sha-256
host      all unicode     127.0.0.1/32 scram-sha-256
hostssl   all encrypted   127.0.0.1/32 scram-sha-256
hostnossl all unencrypted 127.0.0.1/32 scram-sha-256
hostssl   all certified   127.0.0.1/32 cert
`
const roles = `
CREATE ROLE trusted LOGIN; CREATE ROLE certified LOGIN;
CREATE ROLE cleartext LOGIN PASSWORD 'pw'; CREATE ROLE scrambled LOGIN PASSWORD 'pw';
CREATE ROLE encrypted LOGIN PASSWORD 'pw'; CREATE ROLE unencrypted LOGIN PASSWORD 'pw';
CREATE ROLE unicode LOGIN PASSWORD 'ﬁ\u00a0Å\u00ad\u2168';
SET password_encryption = 'md5'; CREATE ROLE hashed LOGIN PASSWORD 'pw';
`

/** An authority, a server's certificate for localhost and 127.0.0.2, and a client's, all of elliptic curves. */
const certificates = `
set -e
printf 'subjectAltName=DNS:localhost,DNS:*.example.org,IP:127.0.0.2' > names
request() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key -subj "/CN=$2" "\${@:3}"; }
request ca authority -x509 -out ca.crt -days 2
request other stranger -x509 -out other.crt -days 2
request server localhost -out server.csr
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -sha384 -extfile names -days 2 -out server.crt
request client certified -out client.csr
openssl x509 -req -in client.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out client.crt
openssl ec -in client.key -aes256 -passout pass:opensesame -out locked.key
`

describe('authentication and TLS', () => {
  let server: TestServer
  let directory = ''
  let port = 0

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tls-'))
    await chmod(directory, 0o755)
    const path = (name: string) => join(directory, name)
    await promisify(execFile)('bash', ['-c', certificates], { cwd: directory })
    await writeFile(path('hba'), rules)
    for (const name of ['client.key', 'locked.key', 'server.key']) await chmod(path(name), 0o600)
    const account = await findServerAccount()
    if (account) await chown(path('server.key'), account.uid, account.gid)
    port = await freePort()
    server = await startTestServer({
      settings: {
        listen_addresses: '127.0.0.1',
        hba_file: path('hba'),
        ssl: 'on',
        ssl_ca_file: path('ca.crt'),
        ssl_cert_file: path('server.crt'),
        ssl_key_file: path('server.key'),
        port: String(port),
      },
    })
    await using admin = await connect(`host=${server.target.hosts[0]?.host} user=postgres`)
    await admin.execute(roles)
  })
  after(async () => {
    await server[Symbol.asyncDispose]()
    await rm(directory, { recursive: true })
  })

  const connect = async (text: string, environment: Environment = {}) =>
    Connection.connect(
      await resolveConnection(`port=${port} dbname=postgres ${text}`, { environment, homeDirectory: directory }),
    )
  /** `none`, or the version of TLS that the server sees. */
  const encryptionOf = async (text: string, environment?: Environment) => {
    await using connection = await connect(text, environment)
    const [row] = await connection.query(
      "SELECT COALESCE(version, 'none') FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    )
    return row?.[0]
  }
  const refuses = (code: ErrorCode, text: string, pattern = /./, environment?: Environment) =>
    assert.rejects(
      async () => {
        await using _unexpected = await connect(text, environment)
      },
      (error) => {
        assert.ok(hasCode(error, code) && pattern.test(`${error.message}; ${error.hint}`), `${text}: ${String(error)}`)
        assert.ok(error.hint !== undefined, error.message)
        return true
      },
    )

  for (const encryption of ['disable', 'require']) {
    it(`speaks trust, cleartext, MD5 and SCRAM with sslmode=${encryption}`, async () => {
      const expected = encryption === 'disable' ? 'none' : 'TLSv1.3'
      for (const user of ['trusted', 'cleartext', 'hashed', 'scrambled']) {
        const text = `host=127.0.0.1 sslmode=${encryption} user=${user}`
        assert.equal(await encryptionOf(`${text} password=pw`), expected)
        if (user === 'trusted') continue
        await refuses('authentication-failed', `${text} password=wrong`, /password authentication failed.*PGPASSWORD/)
        await refuses('authentication-failed', text, /asks for the password of .*PGPASSWORD/)
      }
      await refuses(
        'authentication-failed',
        `host=127.0.0.1 sslmode=${encryption} user=stranger`,
        /no pg_hba.conf entry/,
      )
    })
  }

  it('prepares passwords as RFC 4013 says', async () => {
    for (const password of ['ﬁ\u00a0Å\u00ad\u2168', 'fi Å\u2168', 'fi ÅIX']) {
      assert.equal(await encryptionOf(`host=127.0.0.1 user=unicode password='${password}' sslmode=disable`), 'none')
    }
    await refuses('authentication-failed', "host=127.0.0.1 user=unicode password='fi AIX' sslmode=disable")
  })

  it('binds SCRAM to the channel', async () => {
    const text = 'host=127.0.0.1 password=pw channel_binding=require'
    assert.equal(await encryptionOf(`${text} user=scrambled`), 'TLSv1.3')
    assert.equal(await encryptionOf(`${text} user=scrambled ssl_max_protocol_version=TLSv1.2`), 'TLSv1.2')
    await refuses('authentication-failed', `${text} user=scrambled sslmode=disable`, /is not encrypted/)
    await refuses('authentication-failed', `${text} user=hashed`, /did not ask for SCRAM/)
    await refuses('authentication-failed', `${text} user=trusted`, /did not ask for SCRAM/)
    assert.equal(await encryptionOf(`${text} user=scrambled channel_binding=disable`), 'TLSv1.3')
  })

  it('allows only the methods that are named', async () => {
    const text = 'host=127.0.0.1 password=pw'
    await refuses('authentication-failed', `${text} user=cleartext require_auth=scram-sha-256`, /"password"/)
    await refuses('authentication-failed', `${text} user=trusted require_auth=!none`, /"none"/)
    assert.equal(await encryptionOf(`${text} user=scrambled require_auth=scram-sha-256,md5`), 'TLSv1.3')
  })

  it('takes passwords from the password file, and tells why it did not', async () => {
    const path = join(directory, 'passwords')
    await writeFile(path, `127.0.0.1:${port}:*:scrambled:pw\n`, { mode: 0o600 })
    assert.equal(await encryptionOf('host=127.0.0.1 user=scrambled', { PGPASSFILE: path }), 'TLSv1.3')
    await chmod(path, 0o644)
    await refuses('authentication-failed', 'host=127.0.0.1 user=scrambled', /others may read it/, { PGPASSFILE: path })
  })

  it('falls back as sslmode says', async () => {
    const text = 'host=127.0.0.1 password=pw'
    assert.equal(await encryptionOf(`${text} user=encrypted sslmode=prefer`), 'TLSv1.3')
    assert.equal(await encryptionOf(`${text} user=encrypted sslmode=allow`), 'TLSv1.3')
    assert.equal(await encryptionOf(`${text} user=scrambled sslmode=allow`), 'none')
    assert.equal(await encryptionOf(`${text} user=unencrypted sslmode=prefer`), 'none')
    await refuses('authentication-failed', `${text} user=encrypted sslmode=disable`)
    await refuses('authentication-failed', `${text} user=unencrypted sslmode=require`)
    assert.equal(
      await encryptionOf(`host=${server.target.hosts[0]?.host} user=trusted sslmode=require`),
      'none',
      'a Unix socket is never encrypted',
    )
  })

  it('verifies the chain and the name', async () => {
    const ca = join(directory, 'ca.crt')
    const text = 'hostaddr=127.0.0.1 user=trusted'
    for (const host of ['localhost', 'a.example.org', '127.0.0.2']) {
      assert.equal(await encryptionOf(`${text} host=${host} sslmode=verify-full sslrootcert=${ca}`), 'TLSv1.3', host)
    }
    for (const host of ['other.org', 'a.b.example.org', '127.0.0.1']) {
      await refuses('tls-failed', `${text} host=${host} sslmode=verify-full sslrootcert=${ca}`, /a name that stands in/)
      assert.equal(await encryptionOf(`${text} host=${host} sslmode=verify-ca sslrootcert=${ca}`), 'TLSv1.3')
    }
    const other = join(directory, 'other.crt')
    for (const mode of ['require', 'verify-ca', 'verify-full']) {
      await refuses('tls-failed', `${text} host=localhost sslmode=${mode} sslrootcert=${other}`, /set sslrootcert/)
    }
    await refuses('tls-failed', `${text} host=localhost sslrootcert=system`, /set sslrootcert/)
    await refuses('connection-invalid', `${text} host=localhost sslmode=verify-full`, /needs a root certificate/)
    await refuses('connection-invalid', `${text} host=localhost sslrootcert=/nowhere`, /can not be read/)
    const noCertificate = join(directory, 'hba')
    await refuses('connection-invalid', `${text} host=localhost sslcert=${noCertificate} sslkey=${noCertificate}`)
  })

  it('shows a client certificate', async () => {
    const [certificate, key, locked] = ['client.crt', 'client.key', 'locked.key'].map((name) => join(directory, name))
    const text = `host=127.0.0.1 user=certified sslmode=require`
    assert.equal(await encryptionOf(`${text} sslcert=${certificate} sslkey=${key}`), 'TLSv1.3')
    assert.equal(
      await encryptionOf(`${text} sslcert=${certificate} sslkey=${locked} sslpassword=opensesame`),
      'TLSv1.3',
    )
    await refuses('connection-invalid', `${text} sslcert=${certificate} sslkey=${locked} sslpassword=wrong`)
    await refuses('authentication-failed', text, /valid client certificate/)
    await refuses('connection-invalid', `${text} sslcert=${certificate}`, /needs its key/)
    await refuses(
      'tls-failed',
      `${text} sslcert=${join(directory, 'other.crt')} sslkey=${join(directory, 'other.key')}`,
    )
    await chmod(key ?? '', 0o644)
    await refuses('connection-invalid', `${text} sslcert=${certificate} sslkey=${key}`, /may be read by others/)
    await chmod(key ?? '', 0o600)
  })

  it('copies and cancels through TLS', async () => {
    await using connection = await connect('host=127.0.0.1 user=scrambled password=pw sslmode=require')
    const copy = connection.copyOut("COPY (SELECT repeat('x', i % 2000) FROM generate_series(1, 20000) i) TO STDOUT")
    await using other = await connect('host=127.0.0.1 user=scrambled password=pw sslmode=require')
    await other.execute('CREATE TEMP TABLE t (s text)')
    await other.copyIn('COPY t FROM STDIN', copy)
    assert.deepEqual(await other.query('SELECT sum(length(s)) + count(*) FROM t'), [[String(copy.digest.bytes)]])
    const sleeping = other.query('SELECT pg_sleep(60)')
    setTimeout(() => void other.cancel(), 50)
    await assert.rejects(sleeping, (error) => hasCode(error, 'query-failed'))
    assert.deepEqual(await other.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'), [['t']])
  })
})

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => probe.once('listening', resolve))
  const { port } = probe.address() as AddressInfo // as: it listens on a port
  await new Promise((resolve) => probe.close(resolve))
  return port
}
