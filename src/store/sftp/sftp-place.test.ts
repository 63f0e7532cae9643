import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AppError } from '../../core/app-error.ts'
import { formatSftpPlace, parseSftpPlace } from './sftp-place.ts'

const fingerprint = 'uNiVztksCsDhcc0u9e8BrrJXVGDgnVeGVxPU0NtSbKs'

describe('an sftp:// URL', () => {
  it('names a folder of a server, from its root or from the home directory', () => {
    const plain = { kind: 'sftp', host: 'nas.local', port: 22, user: undefined, path: '/srv/backups' }
    const options = { identity: undefined, knownHosts: undefined, hostKey: undefined }
    assert.deepEqual(parseSftpPlace('sftp://NAS.local/srv/backups/'), { ...plain, ...options })
    assert.deepEqual(parseSftpPlace('sftp://ann%40x@nas.local:2222/srv/of%20all'), {
      ...plain,
      ...options,
      port: 2222,
      user: 'ann@x',
      path: '/srv/of all',
    })
    const paths = { '/': '/', '//srv/x': '/srv/x', '/~': '.', '/~/': '.', '/~/a/b/': 'a/b', '/~ann/x': '/~ann/x' }
    for (const [written, path] of Object.entries(paths))
      assert.equal(parseSftpPlace(`sftp://[::1]${written}`).path, path, written)
    const given = parseSftpPlace(
      `sftp://h/x?identity=~/.ssh/shop&known_hosts=/etc/hosts.pub&host_key=SHA256:${fingerprint}`,
    )
    assert.deepEqual([given.identity, given.knownHosts, given.hostKey], ['~/.ssh/shop', '/etc/hosts.pub', fingerprint])
    assert.equal(parseSftpPlace(`sftp://h/x?host_key=SHA256:+/${'a'.repeat(41)}`).hostKey, `+/${'a'.repeat(41)}`)
  })

  it('is written as it is read', () => {
    for (const url of [
      'sftp://nas.local/srv/backups',
      'sftp://ann%40x@[::1]:2222/~/of%20all%3F',
      'sftp://h/~',
      'sftp://h/',
      `sftp://h/x?identity=~/.ssh/shop&known_hosts=/a%20b&host_key=SHA256:%2B/${'a'.repeat(41)}`,
    ]) {
      assert.equal(formatSftpPlace(parseSftpPlace(url)), url)
    }
  })

  it('is refused when something is wrong with it, and never repeated, since it may hold a secret', () => {
    const secret = 'hushhush'
    const wrong = {
      [`sftp://ann:${secret}@h/x`]: /password/,
      [`sftp://:${secret}@h/x`]: /password/,
      [`sftp://ann%3A${secret}@h/x`]: /user/,
      [`sftp://h/x?password=${secret}`]: /not known/,
      [`sftp://h/x?identity=${secret}`]: /identity must be an absolute path/,
      [`sftp://h/x?host_key=${secret}`]: /SHA256:…/,
      [`sftp://h/x#${secret}`]: /"#"/,
      'sftp://h': /path is missing/,
      'sftp:///x': /host/,
      'sftp://h:0/x': /no port/,
      'sftp://h:99999/x': /can not be read/,
      'sftp://h/a//b': /empty name/,
      'sftp://h/~/%2e%2e%2f%2e%2e': /\.\./,
      'sftp://h/a%00': /control character/,
      'sftp://h/%E0%A4%A': /control character/,
    }
    for (const [url, message] of Object.entries(wrong)) {
      assert.throws(
        () => parseSftpPlace(url),
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
