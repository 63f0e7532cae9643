import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasCode } from '../../core/app-error.ts'
import { parseConninfo } from './conninfo.ts'

const parsed = (text: string) => Object.fromEntries(parseConninfo(text))
const isInvalid = (error: unknown) => hasCode(error, 'connection-invalid')

describe('a connection string', () => {
  it('is a URI with any of its parts left out', () => {
    assert.deepEqual(parsed('postgresql://'), {})
    assert.deepEqual(parsed('postgres://host'), { host: 'host' })
    assert.deepEqual(parsed('postgres://host:5433'), { host: 'host', port: '5433' })
    assert.deepEqual(parsed('postgres:///shop'), { dbname: 'shop' })
    assert.deepEqual(parsed('postgres://user@/shop'), { user: 'user', dbname: 'shop' })
    assert.deepEqual(parsed('postgres://u:p@h:1/d?sslmode=require&application_name=a%20b'), {
      user: 'u',
      password: 'p',
      host: 'h',
      port: '1',
      dbname: 'd',
      sslmode: 'require',
      application_name: 'a b',
    })
    assert.deepEqual(parsed('postgres://host?dbname=x&ssl=true'), { host: 'host', dbname: 'x', sslmode: 'require' })
  })

  it('decodes percent signs, and takes sockets, IPv6 addresses and several hosts', () => {
    assert.deepEqual(parsed('postgres://u%40x:p%3A%2F%3F%40%25%C3%A4@h/a%2Fb'), {
      user: 'u@x',
      password: 'p:/?@%ä',
      host: 'h',
      dbname: 'a/b',
    })
    assert.deepEqual(parsed('postgres://u:p?a#ss@h/d'), { user: 'u', password: 'p?a#ss', host: 'h', dbname: 'd' })
    assert.deepEqual(parsed('postgres://%2Fvar%2Frun:5433/d'), { host: '/var/run', port: '5433', dbname: 'd' })
    assert.deepEqual(parsed('postgres://[::1]:5433,b,c:5/d'), { host: '::1,b,c', port: '5433,,5', dbname: 'd' })
  })

  it('is a list of keywords, with quotes and escapes', () => {
    assert.deepEqual(parsed(`host=h port = 5433\n dbname='my \\'shop\\\\' user=a\\ b password=''`), {
      host: 'h',
      port: '5433',
      dbname: "my 'shop\\",
      user: 'a b',
      password: '',
    })
    // Blanks after "=" do not count, in libpq neither.
    assert.deepEqual(parsed('host= user=a'), { host: 'user=a' })
    assert.deepEqual(parsed("host='' port="), { host: '', port: '' })
    assert.deepEqual(parsed('host=h client_encoding=LATIN1'), { host: 'h' })
  })

  it('is else the name of a database', () => {
    assert.deepEqual(parsed('shop'), { dbname: 'shop' })
    assert.deepEqual(parsed(`my "shop's"`), { dbname: `my "shop's"` })
    assert.deepEqual(parsed(''), {})
  })

  it('is refused when it is malformed or asks for what nobody obeys', () => {
    for (const text of [
      'host=h nonsense=1',
      'host=h nonsense',
      "host='h",
      "host='h'port=1",
      '=h',
      'postgres://h?schema=public',
      'postgres://h?sslmode',
      'postgres://h?sslmode=a=b',
      'postgres://h:port/d',
      'postgres://[::1/d',
      'postgres://h/%zz',
      'postgres://h/%00',
      'postgres://h/%ff',
      'mysql://h/d',
      'host=h requirepeer=postgres',
    ]) {
      assert.throws(() => parseConninfo(text), isInvalid, text)
    }
  })

  it('never shows a password that was not encoded', () => {
    for (const text of [
      'postgres://u:se/cret@h/d',
      'postgres://u:se@cret@h/d',
      'postgres://u:se%cret@h/d',
      'password=it is se=cret',
      "password='secret host=h",
      'mysql://u:secret@h/d',
    ]) {
      assert.throws(
        () => parseConninfo(text),
        (error: unknown) => isInvalid(error) && !/cret/.test(JSON.stringify([String(error), (error as Error).cause])),
        text,
      )
    }
  })
})
