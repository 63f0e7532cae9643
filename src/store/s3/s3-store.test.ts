import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, before, describe, it, mock } from 'node:test'
import { AppError, type ErrorCode, hasCode } from '../../core/app-error.ts'
import { largestObjectBytes } from '../keys.ts'
import { type S3Place, parseGsPlace, parseS3Place } from './s3-place.ts'
import { S3Store } from './s3-store.ts'
import { TestGateway } from '../test-gateway.ts'
import { TestS3Server, type TestS3User } from './test-s3-server.ts'
import { describeStoreContract } from '../test-store-contract.ts'

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

  const fails = async (store: S3Store, code: ErrorCode, message: RegExp, hint: RegExp) => {
    const calls = [
      () => store.put('object', [Buffer.from('x')]),
      () => store.get('object'),
      () => store.delete('object'),
      () => Array.fromAsync(store.list('')),
      () => store.now(),
    ]
    for (const call of calls) {
      await assert.rejects(call, (error) => {
        assert.ok(error instanceof AppError && error.cause instanceof Error, String(error))
        assert.deepEqual(error.code, code, error.message)
        assert.match(error.message, message)
        assert.match(error.hint ?? '', hint)
        assert.doesNotMatch(`${error.message} ${error.hint} ${error.cause.message}`, /ownersecret|strangersecret/)
        return true
      })
    }
  }

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

  describe('tries again', () => {
    const content = Buffer.alloc(3_000_000, 'content ')
    for (const trouble of ['busy', 'silent', 'lost'] as const) {
      it(`what meets a ${trouble} server or network`, async () => {
        await using gateway = await TestGateway.start(running().endpoint)
        const store = new S3Store(placeOf(bucket, { endpoint: gateway.endpoint }), {
          silenceMs: 700,
          firstMs: 20_000,
          laterMs: 20_000,
        })
        const inSpiteOf = async <Result>(work: () => Promise<Result>) => {
          gateway.troubles = [trouble]
          const before = gateway.requests
          const result = await work()
          assert.ok(gateway.requests >= before + 2)
          return result
        }
        await inSpiteOf(() => store.put(`r/${trouble}`, [content]))
        assert.ok((await inSpiteOf(() => store.get(`r/${trouble}`))).equals(content))
        assert.equal((await inSpiteOf(() => Array.fromAsync(store.list('r/')))).at(-1)?.sizeBytes, content.length)
        await inSpiteOf(() => store.now())
        await inSpiteOf(() => store.delete(`r/${trouble}`))
        await assert.rejects(store.get(`r/${trouble}`), { code: 'object-missing' })
      })
    }

    for (const trouble of ['cut', 'stuck'] as const) {
      it(`what is ${trouble} in the middle`, async () => {
        await using gateway = await TestGateway.start(running().endpoint)
        const store = new S3Store(placeOf(bucket, { endpoint: gateway.endpoint }), { silenceMs: 700 })
        await store.put(`${trouble}/1`, [content])
        gateway.troubles = [trouble, trouble]
        assert.ok((await store.get(`${trouble}/1`)).equals(content))
        gateway.troubles = [trouble, trouble]
        assert.equal((await Array.fromAsync(store.list(`${trouble}/`))).length, 1)
        assert.deepEqual([gateway.troubles, gateway.requests], [[], 7])
      })
    }

    it('what arrives damaged', async () => {
      await using gateway = await TestGateway.start(running().endpoint)
      const { endpoint } = gateway
      for (const place of [
        placeOf(bucket, { endpoint }),
        placeOf(bucket, { endpoint, more: '&checksums=off' }),
        gsPlaceOf(bucket, endpoint),
      ]) {
        const store = new S3Store(place)
        gateway.troubles = ['garbled', 'garbled']
        const before = gateway.requests
        await store.put('garbled', [content])
        assert.equal(gateway.requests, before + 3)
        assert.ok((await store.get('garbled')).equals(content))
      }
    })

    it('while the server is away, says so once, and gives up in the end', async () => {
      await using gateway = await TestGateway.start(running().endpoint)
      const told: string[] = []
      const onTrouble = (text: string) => told.push(text)
      const options = { laterMs: 1000, tellMs: 100, onTrouble }
      const store = new S3Store(placeOf(bucket, { endpoint: gateway.endpoint }), options)
      await store.put('r/1', [content])
      await gateway.close()
      const later = store.get('r/1')
      setTimeout(() => void gateway.listen(), 400)
      assert.ok((await later).equals(content))
      await gateway.close()
      await fails(store, 'store-unreachable', /can not be reached/, /what was stored is safe/)
      assert.equal(told.length, 2)
      for (const text of told) assert.match(text, /^s3:.*ECONNREFUSED.*; trying again for up to 1 min$/)
    })

    it('when the server is busy for too long, and says so', async () => {
      await using gateway = await TestGateway.start(running().endpoint)
      const store = new S3Store(placeOf(bucket, { endpoint: gateway.endpoint }), { laterMs: 200 })
      gateway.troubles = Array.from({ length: 1000 }, () => 'busy' as const)
      await fails(store, 'store-unreachable', /too busy/, /what was stored is safe/)
    })

    it('until it is told to stop', async () => {
      await using gateway = await TestGateway.start(running().endpoint)
      const store = new S3Store(placeOf(bucket, { endpoint: gateway.endpoint }))
      await store.put('stop', [content])
      const reason = new Error('enough')
      for (const trouble of ['busy', 'silent', 'stuck'] as const) {
        gateway.troubles = Array.from({ length: 1000 }, () => trouble)
        const stop = new AbortController()
        setTimeout(() => stop.abort(reason), 300)
        await assert.rejects(store.get('stop', { signal: stop.signal }), reason)
      }
    })
  })
})
