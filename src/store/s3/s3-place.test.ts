import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AppError } from '../../core/app-error.ts'
import { formatS3Place, parseGsPlace, parseS3Place } from './s3-place.ts'

const amazon = {
  kind: 's3',
  bucket: 'backups',
  prefix: '',
  endpoint: undefined,
  region: undefined,
  pathStyle: false,
  checksum: 'sha256',
  storageClass: undefined,
  encryption: undefined,
  lock: undefined,
}

describe('an s3:// URL', () => {
  it('names a bucket and a folder in it, at Amazon unless there is an endpoint', () => {
    assert.deepEqual(parseS3Place('s3://backups'), amazon)
    assert.deepEqual(parseS3Place('s3://backups/'), amazon)
    assert.deepEqual(parseS3Place('s3://backups/of/shop/'), { ...amazon, prefix: 'of/shop/' })
    assert.deepEqual(parseS3Place('S3://backups/of%20all?region=eu-west-3'), {
      ...amazon,
      prefix: 'of all/',
      region: 'eu-west-3',
    })
    assert.deepEqual(parseS3Place('s3://backups?endpoint=http://127.0.0.1:7480/&checksums=off'), {
      ...amazon,
      endpoint: 'http://127.0.0.1:7480',
      pathStyle: true,
      checksum: 'none',
    })
    const hosted = parseS3Place('s3://backups?endpoint=s3.example.org&path-style=false')
    assert.deepEqual([hosted.endpoint, hosted.pathStyle], ['https://s3.example.org', false])
  })

  it('is written as it is read', () => {
    for (const url of [
      's3://backups',
      's3://backups/of/shop?region=eu-west-3',
      's3://backups/a%20b%3Fc?endpoint=http://127.0.0.1:7480&region=x',
      's3://backups?endpoint=https://s3.example.org/path&path-style=false&checksums=off',
      's3://backups?path-style=true',
      's3://backups?storage-class=STANDARD_IA&sse=aws:kms&kms-key=alias/backups&lock-days=30&lock-mode=governance',
      's3://backups?sse=AES256&lock-days=7',
    ]) {
      assert.equal(formatS3Place(parseS3Place(url)), url)
    }
  })

  it('is refused when something is wrong with it, and never repeated, since it may hold a secret', () => {
    const secret = 'wJalrXUtnFEMI'
    const wrong = {
      [`s3://AKIA:${secret}@backups/x`]: /credentials/,
      [`s3://${secret}@backups/x`]: /credentials/,
      [`s3://backups?secret_access_key=${secret}`]: /not known/,
      [`s3://backups?${secret}`]: /not known/,
      [`s3://backups?endpoint=https://AKIA:${secret}@s3.example.org`]: /endpoint holds credentials/,
      [`s3://backups?region=${secret}`]: /region is no name/,
      's3://backups?storage-class=GLACIER': /storage-class can not be read at once/,
      's3://backups?lock-days=0': /lock-days must be/,
      [`s3://backups#${secret}`]: /"#"/,
      's3://': /bucket/,
      's3:///backups': /bucket/,
      's3://b': /bucket/,
      's3://backups//x': /empty name/,
      's3://backups/%E0%A4%A': /empty name/,
      's3://backups/a%00b': /control character/,
      's3://backups?endpoint=ftp://s3.example.org': /no http/,
      's3://backups?endpoint=https://s3.example.org?x=y': /query/,
      's3://backups?path-style=yes': /true or false/,
      's3://backups?checksums=md5': /on or off/,
    }
    for (const [url, message] of Object.entries(wrong)) {
      assert.throws(
        () => parseS3Place(url),
        (error) => {
          assert.ok(error instanceof AppError && error.code === 'usage-invalid', url)
          assert.match(error.message, message, url)
          assert.doesNotMatch(`${error.message} ${error.hint}`, new RegExp(secret), url)
          return true
        },
      )
    }
  })
})

describe('a gs:// URL', () => {
  const place = { ...amazon, kind: 'gs', pathStyle: true, region: 'auto', checksum: 'md5' }

  it('names a bucket and a folder in it, at Google', () => {
    const endpoint = 'https://storage.googleapis.com'
    assert.deepEqual(parseGsPlace('gs://backups/of/shop'), { ...place, endpoint, prefix: 'of/shop/' })
    assert.deepEqual(parseGsPlace('gs://backups?endpoint=http://127.0.0.1:7480'), {
      ...place,
      endpoint: 'http://127.0.0.1:7480',
    })
  })

  it('is written as it is read', () => {
    for (const url of ['gs://backups', 'gs://backups/of/a%20b?endpoint=http://127.0.0.1:7480'])
      assert.equal(formatS3Place(parseGsPlace(url)), url)
  })

  it('is refused when something is wrong with it', () => {
    for (const url of ['gs://', 'gs://GOOG1:hush@backups', 'gs://backups?region=eu', 'gs://backups?checksums=off']) {
      assert.throws(() => parseGsPlace(url), {
        code: 'usage-invalid',
        message: /^the gs:\/\/ URL of the repository is wrong: (?!.*hush)/,
        hint: /HMAC/,
      })
    }
  })
})
