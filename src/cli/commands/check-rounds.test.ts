import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { TestHost, assertFailed, listDocument } from './test-host.ts'

const round = z.object({
  level: z.int(),
  round: z.strictObject({ startedAt: z.iso.datetime(), doneBytes: z.int(), totalBytes: z.int(), isOver: z.boolean() }),
})

describe('check --budget', { timeout: 120_000 }, () => {
  let server: TestServer
  let host: TestHost
  before(async () => {
    server = await startTestServer()
    host = await TestHost.create(server)
    await host.succeed('init')
    for (const seed of [1, 2]) {
      await loadSql(
        server.target,
        `CREATE TABLE t${seed} AS SELECT i, sha512((i * ${seed})::text::bytea) FROM generate_series(1, 5000) i`,
      )
      await host.backUp('postgres:///postgres')
    }
  })
  after(async () => {
    await host[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  const listed = () => host.document(listDocument, 'list')

  it('reads a part each time, tells how far the round is, and in the end that all was read', async () => {
    const packs = (await host.objects('packs')).length
    assert.ok(packs >= 2)
    const first = await host.document(round, 'check', '--budget', '1kB')
    assert.deepEqual([first.level, first.round.isOver], [2, false])
    const { rounds, backups } = await listed()
    assert.deepEqual(
      rounds?.map(({ level, doneBytes }) => [level, doneBytes]),
      [[2, first.round.doneBytes]],
    )
    assert.deepEqual(
      backups.map(({ checked }) => checked?.level),
      [1, 1],
    )
    assert.match(
      await host.succeed('list'),
      /\nchecks by parts: \d+ % of .* read, in a round that began just now \(2\)\n$/,
    )
    let count = 1
    for (let isOver = false; !isOver; count++) {
      const next = await host.document(round, 'check', '--budget', '1kB')
      assert.equal(next.round.startedAt, first.round.startedAt)
      isOver = next.round.isOver
    }
    assert.equal(count, packs)
    assert.equal((await listed()).rounds, undefined)
    assert.equal((await host.objects('notes')).length, 2)
    assert.match(
      await host.succeed('check', '--budget', '1GB'),
      /\n {2}100 % of .* read, in a round that began just now\nno damage found\n$/,
    )
  })

  it('says that there is damage until there is none', async () => {
    const [path = ''] = await host.objects('packs')
    const bytes = await readFile(path)
    await writeFile(path, bytes.with(bytes.length >> 1, (bytes.at(bytes.length >> 1) ?? 0) ^ 1))
    const seen: boolean[] = []
    for (let isOver = false; !isOver;) {
      const ended = await host.run('check', '--budget', '1kB', '--json')
      seen.push(ended.exitCode !== 0)
      if (ended.exitCode !== 0) assertFailed(ended, 'check-damaged')
      isOver = round.parse(JSON.parse(ended.stdout)).round.isOver
    }
    assert.ok(seen.slice(seen.indexOf(true)).every(Boolean)) // once seen, always seen
    assert.equal(seen.at(-1), true)
    await writeFile(path, bytes)
    await host.succeed('check', '--budget', '1GB')
  })

  it('needs a level that reads data', async () => {
    assertFailed(await host.run('check', '--budget', '1GB', '--level', 'structure'), 'usage-invalid', {
      message: /--budget needs --level bits or content/,
    })
    assert.equal((await host.document(round, 'check', '--budget', '1GB', '--level', 'content')).level, 3)
  })
})
