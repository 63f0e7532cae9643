import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { z } from 'zod'
import { type TestServer, startTestServer } from '../../postgres/server/test-server.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import { TestHost, assertFailed } from '../commands/test-host.ts'

const planDocument = z.strictObject({
  backup: z.ulid(),
  target: z.string(),
  way: z.enum(['new', 'empty', 'in-place', 'replace']),
  ready: z.boolean(),
  steps: z.array(z.string()),
  findings: z.array(
    z.strictObject({
      check: z.string(),
      answer: z.string(),
      verdict: z.string(),
      meaning: z.string(),
      remedy: z.string().optional(),
    }),
  ),
  notes: z.array(z.string()),
  lastProof: z.strictObject({ at: z.iso.datetime(), tookMs: z.int(), outcome: z.string(), on: z.string() }).nullable(),
})

describe('restore --plan', { timeout: 180_000 }, () => {
  let server: TestServer
  let host: TestHost
  let database: string
  before(async () => {
    server = await startTestServer()
    host = await TestHost.create(server)
    const target = await server.createDatabase()
    database = target.database
    await using connection = await Connection.connect(target)
    await connection.execute(
      `CREATE ROLE shop_app; CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 5);
       ALTER TABLE orders OWNER TO shop_app`,
    )
    await host.succeed('init')
    await host.backUp(`dbname=${database}`)
  })
  after(async () => {
    await host[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  async function databasesAndRoles() {
    await using connection = await server.connect()
    return await connection.query('SELECT datname FROM pg_database UNION ALL SELECT rolname FROM pg_roles ORDER BY 1')
  }

  it('says step by step what a restore would do, how long its proof took, and changes nothing', async () => {
    const before = await databasesAndRoles()
    const unproven = await host.succeed('restore', 'latest', '--to', 'shop_again', '--plan')
    assert.match(unproven, /1\. create a database under a working name \(UTF8, locale libc C, owned by postgres\)/)
    assert.match(unproven, /load 5 rows of 1 table \(10 B\) on \d connections?/)
    assert.match(unproven, /ok +disk space +\d+ [MG]B free/)
    assert.match(unproven, /unknown: this backup was never proven\nnothing was changed\n$/)
    await host.succeed('prove')
    const document = await host.document(planDocument, 'restore', 'latest', '--to', 'shop_again', '--plan')
    assert.deepEqual([document.ready, document.way, document.lastProof?.outcome], [true, 'new', 'proven'])
    assert.ok((document.lastProof?.tookMs ?? 0) > 0)
    const text = await host.succeed('restore', 'latest', '--to', 'shop_again', '--plan')
    assert.match(text, /time: .* in its proof of 2\d{3}-.*, which restored and compared it on /)
    assert.deepEqual(await databasesAndRoles(), before)
  })

  it('ends with the code of what stands in the way, and prints it with all else', async () => {
    const full = await host.run('restore', 'latest', '--to', database, '--plan', '--json')
    assertFailed(full, 'target-not-empty', { message: /holds 4 objects/ })
    assert.match(full.stdout, /"ready": false/)
    assert.match(full.stdout, /"remedy": "nothing was changed; name a database that does not exist yet/)
    assertFailed(await host.run('restore', 'latest', '--to', 'nowhere', '--data-only', '--plan'), 'database-missing')
    const unknown = ['restore', 'latest', '--to', 'shop_again', '--role-map', 'shop_app=nobody_here', '--plan']
    const lacking = await host.run(...unknown)
    assertFailed(lacking, 'role-missing', { message: /no role "nobody_here"/, hint: /--create-roles/ })
    assert.match(lacking.stdout, /BAD +roles/)
  })
})
