import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { type TestServer, loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { rows as shape } from '../../shapes/database.ts'
import { TestHost, assertFailed } from './test-host.ts'

describe('rows', { timeout: 120_000 }, () => {
  let server: TestServer
  let host: TestHost
  before(async () => {
    server = await startTestServer()
    host = await TestHost.create(server)
    await loadSql(
      server.target,
      String.raw`CREATE TABLE people AS SELECT i AS id, 'person' || i || '@example.com' AS email, NULLIF(i % 2, 0) AS odd FROM generate_series(1, 500) i;
      CREATE TABLE "Odd ""Name" (v text); INSERT INTO "Odd ""Name" VALUES (E'\x1b[31mred\nline'), ('')`,
    )
    await host.succeed('init')
    await host.backUp('postgres:///postgres')
  })
  after(async () => {
    await host[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  it('shows people a table, and says how far it has read', async () => {
    const told = await host.succeed('rows', 'latest', 'people', '--limit', '2')
    assert.equal(
      told,
      'public.people: 2 rows, of 2 read; there are more\nid  email                odd\n1   person1@example.com  1\n2   person2@example.com  NULL\n',
    )
    const odd = await host.succeed('rows', 'latest', 'public."Odd ""Name"')
    assert.equal(
      odd,
      String.raw`public.Odd "Name: 2 rows, of 2 read` + '\nv\n' + String.raw`\x1b[31mred\x0aline` + "\n''\n",
    )
    assert.equal(
      await host.succeed('rows', 'latest', 'people', '--search', 'nobody'),
      'public.people: 0 rows, of 500 read\n',
    )
  })

  it('gives programs the document of the API', async () => {
    const args = [
      'rows',
      'latest',
      'people',
      '--search',
      'PERSON49',
      '--column',
      'email',
      '--offset',
      '1',
      '--limit',
      '3',
    ]
    const found = await host.document(
      shape
        .extend({
          backup: z.ulid(),
          table: z.object({ schema: z.string(), name: z.string() }),
          notes: z.array(z.string()),
        })
        .strict(),
      ...args,
    )
    assert.deepEqual(found.columns, ['id', 'email', 'odd'])
    assert.deepEqual(
      found.rows.map(([id]) => id),
      ['490', '491', '492'],
    )
    assert.deepEqual([found.searched, found.more, found.notes], [492, true, []])
  })

  it('refuses what it can not do, and what the key may not read', async () => {
    assertFailed(await host.run('rows', 'latest', 'peopel', '--json'), 'selection-empty', {
      hint: /did you mean people\?/,
    })
    assertFailed(await host.run('rows', 'latest', 'people', '--column', 'id'), 'usage-invalid', {
      message: /--column needs --search/,
    })
    assertFailed(await host.run('rows', 'latest', 'people', '--limit', '1001'), 'usage-invalid')
    await host.succeed('key', 'add', '--to', 'writer.key', '--write-only')
    const writer = host.with({ PGREVIVE_KEY_FILE: host.path('writer.key') })
    assertFailed(await writer.run('rows', 'latest', 'people'), 'key-cannot-read')
  })
})
