import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, before, describe, it, mock } from 'node:test'
import { inspect } from 'node:util'
import { type ErrorCode, hasCode } from '../../core/app-error.ts'
import { largestObjectBytes } from '../keys.ts'
import { describeStoreContract } from '../test-store-contract.ts'
import { TestGateway } from '../test-gateway.ts'
import { assertCallFails, assertStoreFails, describeStoreTroubles } from '../test-store-troubles.ts'
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

  // of a signature, what signs, and of a header, what lets in
  const secrets = () => new RegExp(`[?&]sig=|SharedKey |${running().key.replaceAll('+', '\\+')}`)
  const failed = (call: () => Promise<unknown>, code: ErrorCode, message: RegExp, hint: RegExp) =>
    assertCallFails(call, { code, message, hint, secrets: secrets() })
  const fails = (store: AzureStore, code: ErrorCode, message: RegExp, hint: RegExp) =>
    assertStoreFails(store, { code, message, hint, secrets: secrets() })

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

  describeStoreTroubles({
    backend: () => running().endpoint,
    open: (address, patience) => new AzureStore(place, withKey(address), patience),
    secrets: /[?&]sig=|SharedKey /,
  })
})
