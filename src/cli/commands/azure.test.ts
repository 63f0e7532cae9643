import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { withDatabase } from '../../postgres/target/connection-target.ts'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { TestAzurite } from '../../store/azure/test-azurite.ts'
import { TestHost, assertFailed, doctorDocument, initDocument, proveDocument, restoreDocument } from './test-host.ts'

const azurite = await TestAzurite.start()
const skip = typeof azurite === 'string' ? azurite : undefined
after(() => (typeof azurite === 'string' ? undefined : azurite[Symbol.asyncDispose]()))

describe('a repository in Azure Blob Storage', { timeout: 300_000, ...(skip !== undefined && { skip }) }, () => {
  let server: TestServer
  let container: string
  before(async () => {
    assert.ok(typeof azurite !== 'string')
    server = await startTestServer()
    container = await azurite.createContainer()
    await loadSql(server.target, 'CREATE DATABASE shop TEMPLATE template0')
    await loadSql(
      withDatabase(server.target, 'shop'),
      'CREATE TABLE orders AS SELECT i AS id, md5(i::text) AS what FROM generate_series(1, 100000) i',
    )
  })
  after(() => server?.[Symbol.asyncDispose]())

  /** A host whose `--repo` is the container, with these variables of Azure's. */
  async function createHost(variables: Record<string, string>): Promise<TestHost> {
    assert.ok(typeof azurite !== 'string')
    const host = await TestHost.create(server)
    return host.with({ PGREVIVE_REPO: `azure://${container}/shop?endpoint=${azurite.endpoint}`, ...variables })
  }

  it('is created, filled by whoever may not delete, checked, proven and restored', async () => {
    assert.ok(typeof azurite !== 'string')
    const { account, key, endpoint } = azurite
    await using host = await createHost({ AZURE_STORAGE_SAS_TOKEN: azurite.signatureFor(container, 'rcwl') })
    const { location, kitFile } = await host.document(initDocument, 'init')
    assert.equal(location, `azure://${container}/shop?endpoint=${endpoint}`)
    const first = await host.backUp('postgres:///shop')
    await loadSql(withDatabase(server.target, 'shop'), "UPDATE orders SET what = 'sold' WHERE id = 4711")
    const second = await host.backUp('postgres:///shop')
    assert.ok(second.added.bytes < first.added.bytes / 2)
    await host.assertClean({ backups: 2 })
    assert.equal((await host.document(proveDocument, 'prove', 'latest')).proof.outcome, 'proven')
    // on another machine, with the kit and another way to name the same place and to log in
    await using elsewhere = await createHost({
      PGREVIVE_REPO: `azure://${container}/shop/`,
      AZURE_STORAGE_CONNECTION_STRING: `BlobEndpoint=${endpoint};AccountName=${account};AccountKey=${key}`,
    })
    const arguments_ = [first.id, '--to', 'postgres:///shop_again', '--key-file', kitFile]
    const restored = await elsewhere.document(restoreDocument, 'restore', ...arguments_)
    assert.deepEqual([restored.database, restored.rows], ['shop_again', 100000])
    assert.match(await host.succeed('diff', first.id, 'postgres:///shop_again'), /^equal: 1 table, 100,000 rows/m)
  })

  it('is looked at by doctor, who says what its credentials may do', async () => {
    assert.ok(typeof azurite !== 'string')
    const place = { PGREVIVE_REPO: `azure://${await azurite.createContainer()}/shop?endpoint=${azurite.endpoint}` }
    await using owner = await createHost({
      ...place,
      AZURE_STORAGE_ACCOUNT: azurite.account,
      AZURE_STORAGE_KEY: azurite.key,
    })
    const { safe, sections } = await owner.document(doctorDocument, 'doctor', '--store')
    const answers = Object.fromEntries(
      sections.flatMap(({ findings }) => findings.map((one) => [one.check, one.answer])),
    )
    assert.deepEqual([safe, answers['remove'], answers['conditional put']], [true, 'possible', 'yes'])
    assert.deepEqual([answers['versions are kept'], answers['object lock']], ['no', 'no'])
  })

  it('tells what is wrong with its place or its credentials, and keeps no key of what was not created', async () => {
    assert.ok(typeof azurite !== 'string')
    await using reader = await createHost({ AZURE_STORAGE_SAS_TOKEN: azurite.signatureFor(container, 'rl') })
    const elsewhere = reader.with({ PGREVIVE_REPO: `azure://${container}/new?endpoint=${azurite.endpoint}` })
    assertFailed(await elsewhere.run('init', '--json'), 'store-denied', { hint: /create and write/ })
    await using nobody = await createHost({})
    assertFailed(await nobody.run('list', '--json'), 'store-denied', { hint: /AZURE_STORAGE_KEY/ })
    const inUrl = nobody.with({ PGREVIVE_REPO: `azure://${container}/x?sig=hushhush` })
    const refused = await inUrl.run('init', '--json')
    assertFailed(refused, 'usage-invalid', { hint: /AZURE_STORAGE_KEY/ })
    assert.doesNotMatch(refused.stdout, /hushhush/)
    assert.deepEqual([...(await reader.everyFile()).keys(), ...(await nobody.everyFile()).keys()], [])
  })
})
