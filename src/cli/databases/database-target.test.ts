import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseConfig } from '../../config/config.ts'
import { findDatabase, findDatabases } from './database-target.ts'

const config = parseConfig(
  `databases:
  shop: { url: "postgres://db/shop", password_env: SHOP_PASSWORD, tables: [orders] }
  "x=y": { url: "postgres://db/odd" }
`,
  { file: '/pgrevive.yaml', environment: {}, homeDirectory: '/' },
)

describe('the databases to work on', () => {
  it('are the configured ones when none is named', async () => {
    const environment = { SHOP_PASSWORD: 'secret', PGDATABASE: 'other' }
    const targets = await findDatabases([], { config, environment })
    assert.deepEqual(
      targets.map(({ name, conninfo, environment: own }) => [name, conninfo, own['PGPASSWORD']]),
      [
        ['shop', 'postgres://db/shop', 'secret'],
        ['x=y', 'postgres://db/odd', undefined],
      ],
    )
    assert.deepEqual(targets[0]?.selection.tables, ['orders'])
  })

  it("are what libpq's variables say when nothing is configured", async () => {
    const [target] = await findDatabases([], { config: undefined, environment: { PGHOST: 'db' } })
    assert.deepEqual([target?.name, target?.conninfo], [undefined, undefined])
    await assert.rejects(findDatabases([], { config: undefined, environment: {} }), { code: 'usage-invalid' })
  })

  it('may be a URL, a connection string, or a configured name, which comes first', async () => {
    const source = { config, environment: {} }
    assert.equal((await findDatabase('postgresql://h/x', source)).conninfo, 'postgresql://h/x')
    assert.equal((await findDatabase('host=h dbname=x', source)).conninfo, 'host=h dbname=x')
    assert.equal((await findDatabase('x=y', source)).conninfo, 'postgres://db/odd')
  })

  it('are refused by an unknown name, with the one that was meant', async () => {
    const source = { config, environment: {} }
    await assert.rejects(findDatabase('shpo', source), { code: 'usage-invalid', hint: 'did you mean "shop"?' })
  })

  it('need the password that is configured', async () => {
    await assert.rejects(findDatabase('shop', { config, environment: {} }), {
      code: 'config-invalid',
      hint: 'set the variable SHOP_PASSWORD',
    })
  })
})
