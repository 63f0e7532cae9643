import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { page } from '../../shapes/common.ts'
import { run } from '../../shapes/run.ts'
import { TestApi, codeOf } from '../test-api.ts'

const url = 'postgres://backup@127.0.0.1:1/shop'

describe('runs that are asked for', () => {
  it('begin all or none of them, and of each there is one', async () => {
    const config = `databases: { shop: { url: ${url} }, crm: { url: ${url} }, 'x://u:p@h': { url: ${url} } }`
    await using api = await TestApi.open({ config })
    const operator = await api.person('operator')
    const proofs = async () => {
      const { items } = page(run).parse((await operator.ask('GET', '/api/runs?command=prove')).body)
      return items.map(({ commandLine }) => commandLine).toSorted()
    }
    assert.equal(codeOf(await operator.ask('POST', '/api/runs', { command: 'prove' })), 'usage-invalid')
    assert.deepEqual(await proofs(), [])
    const many = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? 'shop' : 'crm'))
    assert.equal((await operator.ask('POST', '/api/runs', { command: 'prove', databases: many })).status, 200)
    assert.deepEqual(await proofs(), ['pgrevive prove --database=crm', 'pgrevive prove --database=shop'])
  })
})
