import assert from 'node:assert/strict'
import { mkdtempDisposable, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { AppError } from '../../core/app-error.ts'
import { findAzureAccess } from './azure-access.ts'
import { formatAzurePlace, parseAzurePlace } from './azure-place.ts'

const place = { kind: 'azure', container: 'backups', prefix: '', account: undefined, endpoint: undefined }
const secret = 'aHVzaGh1c2g='

describe('an azure:// URL', () => {
  it("names a container, a folder in it, and the storage account, at Microsoft's unless there is an endpoint", () => {
    assert.deepEqual(parseAzurePlace('azure://backups'), place)
    assert.deepEqual(parseAzurePlace('AZURE://backups/of%20all/shops/?account=acme1'), {
      ...place,
      prefix: 'of all/shops/',
      account: 'acme1',
    })
    assert.deepEqual(parseAzurePlace('azure://backups?endpoint=http://127.0.0.1:10000/acme1/'), {
      ...place,
      endpoint: 'http://127.0.0.1:10000/acme1',
    })
  })

  it('is written as it is read', () => {
    for (const url of [
      'azure://backups',
      'azure://backups/a%20b%3Fc?account=acme1',
      'azure://backups/x?account=acme1&endpoint=https://blobs.example.org/acme1',
    ]) {
      assert.equal(formatAzurePlace(parseAzurePlace(url)), url)
    }
  })

  it('is refused when something is wrong with it, and never repeated, since it may hold a secret', () => {
    const wrong = {
      [`azure://acme1:${secret}@backups/x`]: /credentials/,
      [`azure://backups?sig=${secret}`]: /not known/,
      [`azure://backups?account=acme1&key=${secret}`]: /not known/,
      [`azure://backups?account=${secret}`]: /account is no name/,
      [`azure://backups?endpoint=https://acme1.blob.core.windows.net/?sig=${secret}`]: /query/,
      [`azure://backups#${secret}`]: /"#"/,
      'azure://': /container/,
      'azure:///backups': /container/,
      'azure://b': /container/,
      'azure://Backups': /container/,
      'azure://back--ups': /container/,
      'azure://backups:443/x': /container/,
      'azure://backups//x': /empty name/,
      'azure://backups?endpoint=ftp://blobs.example.org': /no http/,
    }
    for (const [url, message] of Object.entries(wrong)) {
      assert.throws(
        () => parseAzurePlace(url),
        (error) => {
          assert.ok(error instanceof AppError && error.code === 'usage-invalid', url)
          assert.match(error.message, message, url)
          assert.ok(!`${error.message} ${error.hint}`.includes(secret), url)
          return true
        },
      )
    }
  })
})

describe('credentials for Azure', () => {
  const find = (url: string, environment: Record<string, string>) => findAzureAccess(parseAzurePlace(url), environment)
  const endpoint = 'https://acme1.blob.core.windows.net'

  it('are a key, a signature, or a connection string, which goes before both', async () => {
    const key = { AZURE_STORAGE_ACCOUNT: 'acme1', AZURE_STORAGE_KEY: secret }
    const withKey = { kind: 'key', account: 'acme1', key: secret, endpoint }
    assert.deepEqual(await find('azure://backups', key), withKey)
    assert.deepEqual(await find('azure://backups?account=other2', key), {
      ...withKey,
      account: 'other2',
      endpoint: 'https://other2.blob.core.windows.net',
    })
    assert.deepEqual(await find('azure://backups?endpoint=https://blobs.example.org', key), {
      ...withKey,
      endpoint: 'https://blobs.example.org',
    })
    const signature = { AZURE_STORAGE_SAS_TOKEN: `?sv=1&sig=${secret}` }
    const withSignature = { kind: 'sas', sas: `sv=1&sig=${secret}`, endpoint }
    assert.deepEqual(await find('azure://backups?account=acme1', signature), withSignature)
    assert.deepEqual(await find(`azure://backups?endpoint=${endpoint}`, signature), withSignature)
    for (const [text, access] of [
      [
        `DefaultEndpointsProtocol=https;AccountName=acme1;AccountKey=${secret};EndpointSuffix=core.windows.net`,
        withKey,
      ],
      [`AccountName=acme1;AccountKey=${secret};BlobEndpoint=${endpoint}/;`, withKey],
      [`BlobEndpoint=${endpoint}/;QueueEndpoint=x;SharedAccessSignature=sv=1&sig=${secret}`, withSignature],
    ] as const) {
      const environment = { ...key, AZURE_STORAGE_ACCOUNT: 'other2', AZURE_STORAGE_CONNECTION_STRING: text }
      assert.deepEqual(await find('azure://backups', environment), access)
    }
  })

  it('may lie in files', async () => {
    await using directory = await mkdtempDisposable(join(tmpdir(), 'pgrevive-test-'))
    const file = join(directory.path, 'key')
    await writeFile(file, `${secret}\n`)
    const access = await find('azure://backups?account=acme1', { AZURE_STORAGE_KEY_FILE: file })
    assert.deepEqual(access, { kind: 'key', account: 'acme1', key: secret, endpoint })
  })

  it('are missed by name, and never repeated', async () => {
    const cases = [
      ['azure://backups?account=acme1', {}, 'store-denied', /no credentials .* found/],
      ['azure://backups?account=acme1', { AZURE_STORAGE_KEY: '' }, 'store-denied', /no credentials .* found/],
      ['azure://backups', { AZURE_STORAGE_KEY: secret }, 'usage-invalid', /no storage account/],
      ['azure://backups', { AZURE_STORAGE_SAS_TOKEN: secret }, 'usage-invalid', /no storage account/],
      [`azure://backups?endpoint=${endpoint}`, { AZURE_STORAGE_KEY: secret }, 'usage-invalid', /no storage account/],
      ['azure://backups', { AZURE_STORAGE_KEY_FILE: '/nowhere' }, 'store-denied', /file that AZURE_STORAGE_KEY_FILE/],
      ['azure://backups', { AZURE_STORAGE_CONNECTION_STRING: secret }, 'store-denied', /no connection string/],
      [
        'azure://backups?account=acme1',
        { AZURE_STORAGE_CONNECTION_STRING: `AccountName=other2;AccountKey=${secret}` },
        'usage-invalid',
        /another account/,
      ],
    ] as const
    for (const [url, environment, code, message] of cases) {
      await assert.rejects(find(url, environment), (error) => {
        assert.ok(error instanceof AppError && error.code === code, String(error))
        assert.match(error.message, message)
        assert.ok(!`${error.message} ${error.hint}`.includes(secret))
        return true
      })
    }
  })
})
