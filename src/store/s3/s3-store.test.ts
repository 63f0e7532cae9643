import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, before, describe, it, mock } from 'node:test'
import { type ErrorCode, hasCode } from '../../core/app-error.ts'
import { largestObjectBytes } from '../keys.ts'
import { type S3Place, parseGsPlace, parseS3Place } from './s3-place.ts'
import { S3Store } from './s3-store.ts'
import { TestGateway } from '../test-gateway.ts'
import { TestS3Server, type TestS3User } from './test-s3-server.ts'
import { describeStoreContract } from '../test-store-contract.ts'
import { assertDamageIsNoticed, assertStoreFails, describeStoreTroubles } from '../test-store-troubles.ts'

const server = await TestS3Server.start()
const skip = typeof server === 'string' ? server : undefined
after(() => (typeof server === 'string' ? undefined : server[Symbol.asyncDispose]()))

function running(): TestS3Server {
  assert.ok(typeof server !== 'string')
  return server
}

/** What the SDK finds from now on. */
function logIn(user?: TestS3User): void {
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) delete process.env[name]
  Object.assign(process.env, running().credentials(user))
}

function placeOf(bucket: string, options: { readonly endpoint?: string; readonly more?: string } = {}): S3Place {
  return parseS3Place(`s3://${bucket}/a/b?endpoint=${options.endpoint ?? running().endpoint}${options.more ?? ''}`)
}

function gsPlaceOf(bucket: string, endpoint = running().endpoint): S3Place {
  return parseGsPlace(`gs://${bucket}/a/b?endpoint=${endpoint}`)
}

describeStoreContract(
  'an S3 store',
  async () => {
    logIn('owner')
    const place = placeOf(await running().createBucket())
    return { store: new S3Store(place), other: new S3Store(place) }
  },
  { skip },
)

// Google's servers are nowhere near: what is tried is what is sent to them
describeStoreContract(
  'a store at Google Cloud Storage, played by Ceph,',
  async () => {
    logIn('owner')
    const place = gsPlaceOf(await running().createBucket())
    return { store: new S3Store(place), other: new S3Store(place) }
  },
  { skip },
)

describe('an S3 store', skip === undefined ? {} : { skip }, () => {
  let bucket: string
  before(async () => {
    logIn('owner')
    bucket = await running().createBucket()
  })

  const secrets = /ownersecret|strangersecret/
  const fails = (store: S3Store, code: ErrorCode, message: RegExp, hint: RegExp) =>
    assertStoreFails(store, { code, message, hint, secrets })

  it('says that a bucket does not exist', async () => {
    await fails(new S3Store(placeOf('nowhere')), 'store-missing', /bucket "nowhere" does not exist at http/, /name/)
  })

  it('says that an access key is unknown, or the secret key wrong, or neither is there', async () => {
    try {
      process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong'
      await fails(new S3Store(placeOf(bucket)), 'store-denied', /secret key .* is wrong/, /AWS_PROFILE/)
      process.env['AWS_ACCESS_KEY_ID'] = 'NOBODY'
      await fails(new S3Store(placeOf(bucket)), 'store-denied', /does not know the access key/, /AWS_PROFILE/)
      logIn()
      await fails(new S3Store(placeOf(bucket)), 'store-denied', /no credentials .* found/, /AWS_PROFILE/)
    } finally {
      logIn('owner')
    }
  })

  it('says that somebody has no right', async () => {
    try {
      logIn('stranger')
      await fails(new S3Store(placeOf(bucket)), 'store-denied', /no right for/, /s3:PutObject/)
    } finally {
      logIn('owner')
    }
  })

  it('says soon that nobody is there, and whether it is TLS that they do not agree on', async () => {
    await using gateway = await TestGateway.start(running().endpoint)
    await gateway.close()
    const store = (endpoint: string) => new S3Store(placeOf(bucket, { endpoint }), { firstMs: 100 })
    await fails(store(gateway.endpoint), 'store-unreachable', /can not be reached/, /endpoint/)
    await fails(store('http://nobody.invalid'), 'store-unreachable', /can not be reached/, /endpoint/)
    await fails(store(running().endpoint.replace('http:', 'https:')), 'store-unreachable', /no TLS/, /http:\/\//)
  })

  it('says that what answers is no S3 server', async () => {
    const page = 'HTTP/1.1 200 OK\r\nContent-Length: 33\r\n\r\n<html><p>Welcome & hello</p></html>'
    for (const answer of [page, 'SSH-2.0-OpenSSH_9.2\r\n']) {
      const other = createServer((socket) => socket.once('data', () => socket.end(answer)).on('error', () => undefined))
      other.listen(0, '127.0.0.1')
      await once(other, 'listening')
      const address = other.address()
      assert.ok(address !== null && typeof address === 'object')
      const store = new S3Store(placeOf(bucket, { endpoint: `http://127.0.0.1:${address.port}` }))
      await assert.rejects(Array.fromAsync(store.list('')), (error) => {
        return hasCode(error, 'store-failed') && /does not answer as S3 does/.test(error.message)
      })
      other.close()
    }
  })

  it('reads nothing that is larger than any object', async () => {
    const store = new S3Store(placeOf(bucket))
    await store.put('huge/1', [Buffer.alloc(largestObjectBytes + 1)])
    await assert.rejects(store.get('huge/1'), { code: 'object-damaged' })
    const [[object] = []] = await Array.fromAsync(store.readFolder('huge/', { wanted: () => true }))
    assert.ok(hasCode(object?.bytes, 'object-damaged'))
    await store.delete('huge/1')
  })

  it('takes a whole bucket, too', async () => {
    const whole = parseS3Place(`s3://${await running().createBucket()}?endpoint=${running().endpoint}`)
    const store = new S3Store(whole)
    await store.put('config', [Buffer.from('x')])
    await new S3Store({ ...whole, prefix: 'deeper/' }).put('config', [Buffer.from('y')])
    await store.now()
    const keys = async (of: S3Store) => (await Array.fromAsync(of.list(''))).map(({ key }) => key)
    assert.deepEqual(await keys(store), ['config', 'deeper/config'])
    assert.deepEqual(await keys(new S3Store({ ...whole, prefix: 'deeper/' })), ['config'])
  })

  it('works with a clock that is wrong by an hour', async () => {
    mock.timers.enable({ apis: ['Date'], now: Date.now() + 3600_000 })
    try {
      const store = new S3Store(placeOf(bucket))
      await store.put('skewed', [Buffer.from('x')])
      assert.equal((await store.get('skewed')).toString(), 'x')
      assert.ok(Math.abs((await store.now()).getTime() + 3600_000 - Date.now()) < 60_000)
    } finally {
      mock.timers.reset()
    }
  })

  it('stores without checksums of its own where an old server does not know them, in any region', async () => {
    const store = new S3Store(placeOf(bucket, { more: '&checksums=off&region=eu-central-1' }))
    await store.put('plain', [Buffer.from('abc'), Buffer.from('def')])
    assert.equal((await store.get('plain')).toString(), 'abcdef')
  })

  it('sends Google nothing that only Amazon knows, but a checksum that Google compares', async () => {
    await using gateway = await TestGateway.start(running().endpoint)
    const store = new S3Store(gsPlaceOf(bucket, gateway.endpoint))
    await store.put('plain', [Buffer.from('abc'), Buffer.from('def')])
    const { url, headers = {} } = gateway.last ?? {}
    assert.equal(url, `/${bucket}/a/b/plain`)
    assert.equal(headers['content-md5'], createHash('md5').update('abcdef').digest('base64'))
    assert.match(headers.authorization ?? '', /\/auto\/s3\/aws4_request/)
    assert.deepEqual(
      Object.keys(headers).filter((name) => /checksum|trailer|encoding|storage-class/.test(name)),
      [],
    )
    try {
      logIn('stranger')
      await fails(new S3Store(gsPlaceOf(bucket)), 'store-denied', /no right for/, /storage.objects.list/)
      logIn()
      await fails(new S3Store(gsPlaceOf(bucket)), 'store-denied', /no credentials .* found/, /HMAC/)
    } finally {
      logIn('owner')
    }
  })

  it('has what arrives damaged refused without checksums of its own, and by Google, too', async () => {
    await using gateway = await TestGateway.start(running().endpoint)
    const { endpoint } = gateway
    for (const place of [placeOf(bucket, { endpoint, more: '&checksums=off' }), gsPlaceOf(bucket, endpoint)])
      await assertDamageIsNoticed(new S3Store(place), gateway)
  })

  describeStoreTroubles({
    backend: () => running().endpoint,
    open: (endpoint, patience) => new S3Store(placeOf(bucket, { endpoint }), patience),
    secrets,
  })
})
