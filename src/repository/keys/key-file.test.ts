import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { generateHybridIdentity, generateX25519Identity } from 'age-encryption'
import { hasCode } from '../../core/app-error.ts'
import { formatKeyFile, parseKeyFile, RepositoryKey } from './key-file.ts'

describe('key file', async () => {
  const identity = await generateX25519Identity()
  const secret = randomBytes(32)
  const repositoryId = randomUUID()
  const key = new RepositoryKey({ identities: [identity], writer: { repositoryId, secret } })

  it('is read back', async () => {
    const text = await formatKeyFile(key)
    assert.match(text, /^# recipient: age1/m)
    const parsed = parseKeyFile(text.replaceAll('\n', '\r\n'))
    assert.equal(parsed.repositoryId, repositoryId)
    assert.deepEqual(parsed.secret, secret)
    assert.deepEqual(parsed.identities, [identity])
  })

  it('may lack the identity, and then only writes', async () => {
    const writer = key.forWritingOnly()
    assert.ok(writer)
    const text = await formatKeyFile(writer)
    assert.doesNotMatch(text, /AGE-SECRET/)
    assert.equal(parseKeyFile(text).canRead, false)
    assert.deepEqual(parseKeyFile(text).secret, secret)
  })

  it('may be an age identity file', async () => {
    const hybrid = await generateHybridIdentity()
    const parsed = parseKeyFile(`# created: today\n# public key: age1…\n\n${identity}\n${hybrid}\n`)
    assert.deepEqual(parsed.identities, [identity, hybrid])
    assert.equal(parsed.repositoryId, undefined)
    assert.equal(parsed.forWritingOnly(), undefined)
  })

  it('is refused when it holds something else, without quoting it', () => {
    for (const text of [
      '',
      '# nothing\n',
      'AGE-SECRET-KEY-1QQQ',
      'AGE-PLUGIN-YUBIKEY-1QQQ',
      `${identity}x`,
      identity.toLowerCase(),
      identity.replace(/.$/, (last) => (last === 'Q' ? 'P' : 'Q')),
      identity.replace('AGE-SECRET-KEY-', 'AGE-SECRET-KEY-PQ-'),
      `# pgrevive-writer-key: ${repositoryId} short`,
    ]) {
      assert.throws(
        () => parseKeyFile(text),
        (error) => hasCode(error, 'key-invalid') && !inspect(error).includes(identity),
      )
    }
  })

  it('shows no secret when it is printed', () => {
    for (const text of [inspect(key, { depth: 9, showHidden: true }), JSON.stringify(key)]) {
      assert.doesNotMatch(text, /AGE-SECRET|Buffer/)
    }
  })
})
