import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { runRequest } from '../../shapes/run.ts'
import { TestApi } from '../test-api.ts'
import { type Names, wantedRuns } from './run-request.ts'

const backup = '01JD8Y0000000000000000NNNN'
const ways = ['in-place', 'replace', 'rows', 'undo', 'finish', 'resume', 'abort'] as const
const isAboutOld = (way: string) => ['undo', 'finish', 'resume', 'abort'].includes(way)

describe('a restore that is asked for', () => {
  it('touches no database that pgrevive.yaml and its servers do not know, whichever way', async () => {
    await using api = await TestApi.open({
      config:
        'databases: { pay: { url: postgres://127.0.0.1:1/payroll } }\nservers: { main: { url: postgres://127.0.0.1:1/postgres } }',
    })
    const operator = await api.person('operator')
    for (const way of ways) {
      for (const to of ['payroll', 'hr', 'postgres', 'main/gone', 'template1']) {
        const wish = { command: 'restore', way, to, confirm: to, ...(isAboutOld(way) ? {} : { backup }) }
        const answer = await operator.ask('POST', '/api/runs', wish)
        assert.match(answer.text, /there is no database/, `${way} ${to}`)
      }
    }
    assert.deepEqual(
      api.service.runs.list({ limit: 10 }).items.filter(({ command }) => command === 'restore'),
      [],
    )
  })

  it('goes on with one that is gone for the moment, and makes a new one under any name', () => {
    const names: Names = {
      databases: [],
      reachable: ['main/shop'],
      repositories: [],
      refreshes: [],
      databaseOf: () => undefined,
    }
    const wordsOf = (wish: object) => wantedRuns(runRequest.parse({ command: 'restore', ...wish }), names)[0].arguments
    assert.deepEqual(wordsOf({ way: 'undo', to: 'main/shop' }), ['--undo', '--to=main/shop'])
    assert.deepEqual(wordsOf({ way: 'new', to: 'other', backup }), ['--to=other', '--', backup])
  })
})
