import assert from 'node:assert/strict'
import { it } from 'node:test'
import { killService } from './test-service-kills.ts'

// `npm run test:service-kills` ends it 50 times and more.

it('kill -9 of the service: no run is lost or doubled, nothing is left, state and repository are whole', async (test) => {
  const lives = [0.9, 0.3, 0.6, 0.1]
  let call = 0
  const summary = await killService({
    times: 4,
    random: () => lives[call++ % lives.length] ?? 0,
    tell: (line) => test.diagnostic(line),
  })
  test.diagnostic(JSON.stringify(summary))
  assert.ok((summary.states['interrupted'] ?? 0) > 0, 'something was at work when it ended')
})
