import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AppError } from '../../core/app-error.ts'
import { resolveConnection } from '../../postgres/target/connection-target.ts'
import { connectionRemedy, psql } from './connection-remedy.ts'

describe('What an administrator is told to run', () => {
  const target = resolveConnection("host=db port=5433 user=reader dbname='my shop'", { environment: {} })

  it('runs where it reaches the server', async () => {
    const told = async (administration: Parameters<typeof psql>[0]['administration']) =>
      psql({ target: await target, administration }, 'ALTER ROLE "a" CREATEDB')
    assert.equal(
      await told({ kind: 'direct' }),
      `psql -h db -p 5433 -U postgres -d 'my shop' -c 'ALTER ROLE "a" CREATEDB'`,
    )
    assert.equal(
      await told({ kind: 'container', container: 'shop-db', superuser: 'boss' }),
      `docker exec -it shop-db psql -U boss -d 'my shop' -c 'ALTER ROLE "a" CREATEDB'`,
    )
    const place = {
      host: 'bastion',
      port: 2222,
      user: 'me',
      identity: undefined,
      knownHosts: undefined,
      hostKey: undefined,
    }
    assert.equal(
      await told({ kind: 'tunnel', place }),
      `ssh -t -p 2222 me@bastion 'psql -h db -p 5433 -U postgres -d '\\''my shop'\\'' -c '\\''ALTER ROLE "a" CREATEDB'\\'''`,
    )
  })

  it('creates a database as a superuser', async () => {
    const missing = new AppError('database-missing', 'no such database', { hint: 'none' })
    assert.equal(
      connectionRemedy(missing, {
        target: await target,
        administration: { kind: 'container', container: 'shop-db', superuser: 'boss' },
      }),
      `docker exec -it shop-db createdb -U boss 'my shop'   # or correct its name: docker exec -it shop-db psql -U boss -l`,
    )
  })
})
