import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { KillBench } from './test-kill-bench.ts'
import { scenarios } from './test-scenarios.ts'

// Every step of every command is the work of `npm run test:kill -- --every-step`; these are the ones that matter most.

const moments: readonly (readonly [scenario: string, before: string, step: RegExp])[] = [
  ['init', 'the repository counts', /^file: rename .*\/config$/],
  ['backup', 'its packs are known', /^file: rename .*\/index\//],
  ['backup', 'it counts', /^file: rename .*\/records\//],
  ['restore', 'the server has answered that the database is made', /^sql sent: CREATE DATABASE/],
  ['restore', 'the roles are', /^sql: COMMIT/],
  ['restore', 'the database has its name', /^sql: ALTER DATABASE .* RENAME/],
  ['restore into a database that is there', 'it is whole', /^sql: DROP SCHEMA/],
  ['prove', 'anybody watches the scratch server', /^program: \/bin\/sh -c read/],
  ['prove on a server', 'the scratch database is dropped', /^sql: DROP DATABASE/],
  ['export', 'it has its name', /^file: rename .*shop\.sql$/],
  ['forget', 'a proof goes', /^file: unlink .*\/proofs\//],
  ['forget', 'the record goes', /^file: unlink .*\/records\//],
  ['prune', 'what is to stay was copied', /^file: rename .*\/packs\//],
  ['prune', 'packs are condemned', /^file: rename .*\/gc\//],
  ['prune, a day later', 'a pack goes', /^file: unlink .*\/meta\//],
  ['prune, a day later', 'an index object goes', /^file: unlink .*\/index\//],
  ['key add', 'the repository knows the key', /^file: rename .*\/access\//],
  ['key add', 'it is in effect', /^file: rename .*\/config$/],
  ['key remove', 'it is in effect', /^file: rename .*\/config.bak$/],
  ['key rotate', 'the key file holds both keys', /^file: rename .*\.key$/],
  ['key rotate', 'the new one counts', /^file: rename .*\/config$/],
  ['check', 'a file is removed that another run left', /^file: rm .*\/tmp\/pgrevive-0/],
]

describe('kill -9: the repository is sound, the same command works again, and nothing stays behind', () => {
  let bench: KillBench
  before(async () => {
    bench = await KillBench.start()
  })
  after(() => bench[Symbol.asyncDispose]())

  for (const [name, what, step] of moments) {
    it(`in ${name}, before ${what}`, { timeout: 120_000 }, async () => {
      const scenario = scenarios.find((candidate) => candidate.name === name)
      assert.ok(scenario)
      assert.match((await bench.killAt(scenario, step)) ?? 'no such step', step)
    })
  }
})
