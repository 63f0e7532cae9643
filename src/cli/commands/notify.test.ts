import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { describe, it } from 'node:test'
import { z } from 'zod'
import { TestHost, assertFailed } from './test-host.ts'

const triedDocument = z.looseObject({
  channels: z.array(z.looseObject({ channel: z.string(), ok: z.boolean(), error: z.string().nullable() })),
})

describe('notify test', () => {
  it('tries each channel, and says which took it', async () => {
    await using host = await TestHost.create()
    const received: string[] = []
    const server = createServer((request, response) => {
      received.push(request.url ?? '')
      response.writeHead(request.url === '/good' ? 200 : 403).end('go away')
    })
    server.listen(0, 'localhost')
    await once(server, 'listening')
    const address = server.address()
    assert.ok(address && typeof address === 'object')
    const url = `http://localhost:${address.port}`
    const channels = `alerts:
  channels:
    good: { kind: webhook, url: '${url}/good' }
    bad: { kind: webhook, url: '${url}/bad-and-secret' }
`
    await writeFile(host.path('pgrevive.yaml'), channels)
    assertFailed(await host.run('notify', 'test', 'good'), 'channel-failed', {
      message: /this machine.*reach_private: \[localhost\]/,
      hint: /channels\.good/,
    })
    await writeFile(host.path('pgrevive.yaml'), `${channels}service: { reach_private: [localhost] }\n`)
    const tried = await host.document(triedDocument, 'notify', 'test', 'good')
    assert.deepEqual(
      tried.channels.map(({ channel, ok }) => [channel, ok]),
      [['good', true]],
    )
    const all = await host.run('notify', 'test')
    assertFailed(all, 'channel-failed', { message: /1 of 2 channels took nothing; bad: .*status 403: go away/ })
    assert.ok(!(all.stdout + all.stderr).includes('secret'))
    assert.deepEqual(received.toSorted(), ['/bad-and-secret', '/good', '/good'])
    assertFailed(await host.run('notify', 'test', 'goood'), 'usage-invalid', { hint: /did you mean "good"/ })
    server.close()
  })

  it('says what to write where there is no channel', async () => {
    await using host = await TestHost.create()
    assertFailed(await host.run('notify', 'test'), 'usage-invalid', { hint: /alerts\.md/ })
  })
})
