import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, before, describe, it, mock } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { inspect } from 'node:util'
import { AppError, type ErrorCode, hasCode } from '../../core/app-error.ts'
import { largestObjectBytes } from '../keys.ts'
import { describeStoreContract } from '../test-store-contract.ts'
import { TestGateway } from '../test-gateway.ts'
import type { AzureAccess } from './azure-access.ts'
import { type AzurePlace, parseAzurePlace } from './azure-place.ts'
import { AzureStore } from './azure-store.ts'
import { TestAzurite } from './test-azurite.ts'

const server = await TestAzurite.start()
const skip = typeof server === 'string' ? server : undefined
after(() => (typeof server === 'string' ? undefined : server[Symbol.asyncDispose]()))

function running(): TestAzurite {
  assert.ok(typeof server !== 'string')
  return server
}

function placeOf(container: string): AzurePlace {
  return parseAzurePlace(`azure://${container}/a/b?endpoint=${running().endpoint}`)
}

/** With the key of the account; a server at `origin` instead of Azurite. */
function withKey(origin?: string): AzureAccess {
  const { account, key, endpoint } = running()
  return { kind: 'key', account, key, endpoint: origin === undefined ? endpoint : `${origin}/${account}` }
}

describeStoreContract(
  'an Azure store',
  async () => {
    const place = placeOf(await running().createContainer())
    return { store: new AzureStore(place, withKey()), other: new AzureStore(place, withKey()) }
  },
  { skip },
)

describe('an Azure store', skip === undefined ? {} : { skip }, () => {
  let place: AzurePlace
  before(async () => {
    place = placeOf(await running().createContainer())
  })

  const wrongKey = (): AzureAccess => {
    const { account, endpoint } = running()
    return { kind: 'key', account, key: Buffer.alloc(64).toString('base64'), endpoint }
  }
  const withSignature = (rights: string, options = {}) => {
    const { endpoint } = running()
    return { kind: 'sas', endpoint, sas: running().signatureFor(place.container, rights, options) } as const
  }

  const failed = async (call: () => Promise<unknown>, code: ErrorCode, message: RegExp, hint: RegExp) => {
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof AppError && error.cause instanceof Error, String(error))
      assert.deepEqual(error.code, code, error.message)
      assert.match(error.message, message)
      assert.match(error.hint ?? '', hint)
      assert.doesNotMatch(inspect(error, { depth: 20 }), /[?&]sig=|SharedKey /)
      assert.ok(!inspect(error, { depth: 20 }).includes(running().key))
      return true
    })
  }
  const callsOf = (store: AzureStore) => ({
    put: () => store.put('object', [Buffer.from('x')]),
    get: () => store.get('object'),
    delete: () => store.delete('object'),
    list: () => Array.fromAsync(store.list('')),
    now: () => store.now(),
  })
  const fails = async (store: AzureStore, code: ErrorCode, message: RegExp, hint: RegExp) => {
    for (const call of Object.values(callsOf(store))) await failed(call, code, message, hint)
  }

  it('says that a container does not exist', async () => {
    const nowhere = new AzureStore(placeOf('nowhere'), withKey())
    await fails(nowhere, 'store-missing', /container "nowhere" does not exist at http/, /name/)
  })

  it('says that the key is wrong, or a signature, or that it has expired', async () => {
    await fails(new AzureStore(place, wrongKey()), 'store-denied', /key of the account "testaccount" is/, /STORAGE_KEY/)
    const expired = withSignature('rcwdl', { expiresOn: new Date(Date.now() - 60_000) })
    await fails(new AzureStore(place, expired), 'store-denied', /signature .* is wrong or has expired/, /SAS_TOKEN/)
    const elsewhere = { ...expired, sas: running().signatureFor('elsewhere', 'rcwdl') }
    await fails(new AzureStore(place, elsewhere), 'store-denied', /signature .* is wrong or has expired/, /SAS_TOKEN/)
  })

  it('blames the clock of this machine where it is wrong by an hour', async () => {
    mock.timers.enable({ apis: ['Date'], now: Date.now() + 3600_000 })
    try {
      // Azurite takes any date, and answers a wrong key as Azure does a wrong date
      await fails(new AzureStore(place, wrongKey()), 'store-failed', /clocks .* differ/, /timedatectl/)
    } finally {
      mock.timers.reset()
    }
  })

  it('works with a signature, and says what its rights do not allow', async () => {
    const writer = new AzureStore(place, withSignature('rcwl'))
    await writer.put('signed', [Buffer.from('abc')])
    assert.equal((await writer.get('signed')).toString(), 'abc')
    await failed(() => writer.delete('signed'), 'store-denied', /no right for signed in azure:/, /rights to list/)
    const reader = new AzureStore(place, withSignature('rl'))
    await failed(() => reader.put('signed', [Buffer.from('x')]), 'store-denied', /no right for/, /create and write/)
    assert.equal((await reader.get('signed')).toString(), 'abc')
    assert.deepEqual((await Array.fromAsync(reader.list(''))).length, 1)
    await assert.rejects(reader.get('nothing'), (error) => {
      assert.doesNotMatch(inspect(error, { depth: 20, showHidden: true }), /sig=(?!REDACTED)/)
      return hasCode(error, 'object-missing')
    })
    await reader.now()
    await fails(new AzureStore(place, withSignature('t')), 'store-denied', /no right for/, /rights to list/)
  })

  it('says soon that nobody is there, and whether it is TLS that they do not agree on', async () => {
    await using gateway = await TestGateway.start(running().endpoint)
    await gateway.close()
    const store = (origin: string) => new AzureStore(place, withKey(origin), { firstMs: 100 })
    await fails(store(gateway.endpoint), 'store-unreachable', /can not be reached/, /endpoint/)
    await fails(store('http://nobody.invalid'), 'store-unreachable', /can not be reached/, /endpoint/)
    const secure = new URL(running().endpoint.replace('http:', 'https:')).origin
    await fails(store(secure), 'store-unreachable', /no TLS/, /http:\/\//)
  })

  it('says that what answers is no server of Azure blobs', async () => {
    const page = 'HTTP/1.1 200 OK\r\nContent-Length: 33\r\n\r\n<html><p>Welcome & hello</p></html>'
    for (const answer of [page, page.replace(' & ', '&amp;'), 'SSH-2.0-OpenSSH_9.2\r\n']) {
      const other = createServer((socket) => socket.once('data', () => socket.end(answer)).on('error', () => undefined))
      other.listen(0, '127.0.0.1')
      await once(other, 'listening')
      const address = other.address()
      assert.ok(address !== null && typeof address === 'object')
      const store = new AzureStore(place, withKey(`http://127.0.0.1:${address.port}`))
      await assert.rejects(Array.fromAsync(store.list('')), (error) => {
        return hasCode(error, 'store-failed') && /does not answer as Azure|is none/.test(error.message)
      })
      other.close()
    }
  })

  it('reads nothing that is larger than any object', async () => {
    const store = new AzureStore(place, withKey())
    await store.put('huge/1', [Buffer.alloc(largestObjectBytes + 1)])
    await assert.rejects(store.get('huge/1'), { code: 'object-damaged' })
    const [[object] = []] = await Array.fromAsync(store.readFolder('huge/', { wanted: () => true }))
    assert.ok(hasCode(object?.bytes, 'object-damaged'))
    await store.delete('huge/1')
  })

  it('takes a whole container, too', async () => {
    const whole = { ...placeOf(await running().createContainer()), prefix: '' }
    const store = new AzureStore(whole, withKey())
    const deeper = new AzureStore({ ...whole, prefix: 'deeper/' }, withKey())
    await store.put('config', [Buffer.from('x')])
    await deeper.put('config', [Buffer.from('y')])
    await store.now()
    const keys = async (of: AzureStore) => (await Array.fromAsync(of.list(''))).map(({ key }) => key)
    assert.deepEqual([await keys(store), await keys(deeper)], [['config', 'deeper/config'], ['config']])
  })

  describe('tries again', () => {
    const content = Buffer.alloc(3_000_000, 'content ')
    for (const trouble of ['busy', 'silent', 'lost'] as const) {
      it(`what meets a ${trouble} server or network`, async () => {
        await using gateway = await TestGateway.start(running().endpoint)
        const patience = { silenceMs: 700, firstMs: 20_000, laterMs: 20_000 }
        const store = new AzureStore(place, withKey(gateway.endpoint), patience)
        const inSpiteOf = async <Result>(work: () => Promise<Result>) => {
          gateway.troubles = [trouble]
          const before = gateway.requests
          const result = await work()
          assert.equal(gateway.requests, before + 2)
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
        const store = new AzureStore(place, withKey(gateway.endpoint), { silenceMs: 700 })
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
      const store = new AzureStore(place, withKey(gateway.endpoint))
      gateway.troubles = ['garbled', 'garbled']
      await store.put('garbled', [content])
      assert.equal(gateway.requests, 3)
      assert.ok((await store.get('garbled')).equals(content))
    })

    it('while the server is away, in the middle of an upload too, says so once, and gives up in the end', async () => {
      await using gateway = await TestGateway.start(running().endpoint)
      const told: string[] = []
      const onTrouble = (text: string) => told.push(text)
      const options = { laterMs: 1000, tellMs: 100, onTrouble }
      const store = new AzureStore(place, withKey(gateway.endpoint), options)
      await store.put('r/1', [content])
      gateway.troubles = ['silent']
      const later = store.put('r/2', [content])
      while (gateway.requests < 2) await delay(10)
      await gateway.close()
      setTimeout(() => void gateway.listen(), 400)
      await later
      assert.ok((await store.get('r/2')).equals(content))
      await gateway.close()
      await fails(store, 'store-unreachable', /can not be reached/, /what was stored is safe/)
      assert.equal(told.length, 2)
      for (const text of told) assert.match(text, /^azure:.*(ECONN|hang up).*; trying again for up to 1 min$/)
    })

    it('when the server is busy for too long, and says so', async () => {
      await using gateway = await TestGateway.start(running().endpoint)
      const store = new AzureStore(place, withKey(gateway.endpoint), { laterMs: 200 })
      gateway.troubles = Array.from({ length: 1000 }, () => 'busy' as const)
      await fails(store, 'store-unreachable', /too busy/, /what was stored is safe/)
    })

    it('until it is told to stop', async () => {
      await using gateway = await TestGateway.start(running().endpoint)
      const store = new AzureStore(place, withKey(gateway.endpoint))
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
