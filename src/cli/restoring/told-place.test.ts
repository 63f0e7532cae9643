import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import { toldPlace } from './told-place.ts'

describe('the place that a command is told with', () => {
  const target = { hosts: [{ host: 'db', port: 5432 }], user: 'app', database: 'shop' } as unknown as ConnectionTarget
  const settings = { given: {}, repositories: [] } as unknown as Parameters<typeof toldPlace>[2]
  const told = (to: string | undefined) => toldPlace(target, to, settings)

  it('is as it was given, without a password', () => {
    assert.equal(told(undefined), '')
    assert.equal(told('shop'), '--to shop')
    assert.equal(told('docker://app:secret@shop-db/shop'), '--to docker://app@shop-db/shop')
    assert.equal(
      told('postgres://app:secret@db/shop?sslmode=verify-full'),
      "--to 'postgres://app@db/shop?sslmode=verify-full'",
    )
  })

  it('is where that led to where a password may be anywhere in it', () => {
    for (const to of [
      'postgres://app:se@cret@db/shop',
      'postgres://db/shop?password=secret',
      'host=db password=secret',
    ]) {
      assert.match(told(to), /^--to 'host=.*db.* port=.*5432.* user=.*app.* dbname=.*shop.*'$/)
      assert.doesNotMatch(told(to), /cret/)
    }
  })
})
