import assert from 'node:assert/strict'
import { readFile, rm } from 'node:fs/promises'
import { z } from 'zod'
import { type TestHost } from '../commands/test-host.ts'
import type { KillBench } from './test-kill-bench.ts'

/** A command that is killed, and what it may leave. */
export interface Scenario {
  readonly name: string
  /** What the repository holds before: it is not there, is empty, has a backup of the shop, or two more of another database. */
  readonly repository: 'none' | 'empty' | 'one backup' | 'three backups'
  readonly args: readonly string[]
  /** The command runs on the host whose variables lead to the server that is restored onto. */
  readonly on: 'source' | 'destination'
  readonly prepare?: (bench: KillBench) => Promise<void>
  /** Examines what the killed run has left, and does what somebody has to do before the same command can run again. */
  readonly settle?: (bench: KillBench, host: TestHost) => Promise<void>
  /** Examines what the second run has made. */
  readonly examine?: (bench: KillBench) => Promise<void>
}

const restored = 'restored'

async function dropRestored(bench: KillBench): Promise<void> {
  await bench.execute(`DROP DATABASE IF EXISTS ${restored}`)
}

async function assertRestored(bench: KillBench): Promise<void> {
  assert.deepEqual(await bench.contentsOf('destination', restored), await bench.contentsOf('source', 'shop'))
}

/** A role comes with all that belongs to it, or not at all. */
async function assertRolesWhole(bench: KillBench): Promise<void> {
  const roles = await bench.query(
    `SELECT rolconfig, pg_catalog.shobj_description(oid, 'pg_authid'), pg_has_role(oid, 'staff', 'MEMBER')
     FROM pg_roles WHERE rolname = 'keeper'`,
  )
  for (const role of roles) assert.deepEqual(role, ['{work_mem=5MB}', 'keeps', 't'])
}

const exported = 'shop.sql'

/** It has its name only when it is whole, and then nothing unfinished lies beside it. */
async function assertExported(bench: KillBench): Promise<void> {
  assert.deepEqual(await bench.filesLike(exported), [exported])
  assert.match(await readFile(bench.path(exported), 'utf8'), /PostgreSQL database dump complete\n[^]{0,200}$/)
}

const intoExisting = ['restore', 'latest', '--to', restored, '--no-owner', '--no-privileges'] as const

const forgetting = ['forget', '--keep-last', '1'] as const
const pruning = ['prune', '--max-repack', '1GB'] as const

const ann = 'ann.key'

/** Runs what was killed once more, to its end, however far it had come. */
async function finish(host: TestHost, args: readonly string[], already: RegExp): Promise<void> {
  const { exitCode, stderr } = await host.run(...args)
  if (exitCode !== 0) assert.match(stderr, already)
}

/** Every key that the repository knows is in effect, this host has one of them, and that one reads everything. */
async function assertKeys(host: TestHost, count: number): Promise<void> {
  const { keys } = await host.document(
    z.object({ keys: z.array(z.looseObject({ inEffect: z.boolean() })) }),
    'key',
    'list',
  )
  assert.deepEqual(
    keys.map(({ inEffect }) => inEffect),
    Array.from({ length: count }, () => true),
  )
  await host.assertClean({ backups: 1 })
}

export const scenarios: readonly Scenario[] = [
  {
    name: 'init',
    repository: 'none',
    args: ['init'],
    on: 'source',
    settle: async (_, host) => {
      const again = await host.run('init')
      if (/\[repository-exists\]/.test(again.stderr)) {
        await host.succeed('list')
        await rm(host.path('backups'), { recursive: true })
      } else if (again.exitCode !== 0)
        assert.match(again.stderr, /recovery-kit.txt exists already\n[^]*\nhint: .*remove it/)
      else await rm(host.path('backups'), { recursive: true })
      await rm(host.path('pgrevive-recovery-kit.txt'), { force: true })
    },
  },
  { name: 'backup', repository: 'empty', args: ['backup', 'postgres:///shop'], on: 'source' },
  {
    name: 'restore',
    repository: 'one backup',
    args: ['restore', 'latest', '--to', restored, '--create-roles'],
    on: 'destination',
    prepare: async (bench) => {
      await dropRestored(bench)
      await bench.execute('DROP ROLE IF EXISTS keeper')
      await bench.execute('DROP ROLE IF EXISTS staff')
    },
    settle: async (bench) => {
      await assertRolesWhole(bench)
      if (!(await bench.hasDatabase(restored))) return
      await assertRestored(bench)
      await dropRestored(bench)
    },
    examine: assertRestored,
  },
  {
    name: 'restore into a database that is there',
    repository: 'one backup',
    args: intoExisting,
    on: 'destination',
    prepare: async (bench) => {
      await dropRestored(bench)
      await bench.execute(`CREATE DATABASE ${restored} TEMPLATE template0`)
    },
    settle: async (bench, host) => {
      const { exitCode, stderr } = await host.run(...intoExisting)
      const advice = /a restore into it did not end\nhint: .*?: (DROP DATABASE .*?); (CREATE DATABASE .*);/.exec(stderr)
      if (!advice) {
        if (exitCode !== 0) assert.match(stderr, /holds \d+ objects/)
        await assertRestored(bench)
      }
      const [drop, create] = advice?.slice(1) ?? [`DROP DATABASE ${restored}`, `CREATE DATABASE ${restored}`]
      await bench.execute(drop ?? '')
      await bench.execute(create ?? '')
    },
    examine: assertRestored,
  },
  { name: 'prove', repository: 'one backup', args: ['prove'], on: 'source' },
  {
    name: 'prove on a server',
    repository: 'one backup',
    args: ['prove', '--on', 'postgres:///postgres'],
    on: 'destination',
    prepare: async (bench) => {
      for (const role of ['keeper', 'staff']) {
        await bench.execute(`DO $$BEGIN CREATE ROLE ${role}; EXCEPTION WHEN duplicate_object THEN NULL; END$$`)
      }
    },
  },
  {
    name: 'export',
    repository: 'one backup',
    args: ['export', 'latest', '-o', exported],
    on: 'source',
    prepare: (bench) => bench.removeFile(exported),
    settle: async (bench) => {
      const [there] = await bench.filesLike(exported)
      if (there === exported) await assertExported(bench)
      await bench.removeFile(exported)
    },
    examine: assertExported,
  },
  {
    name: 'check',
    repository: 'one backup',
    args: ['check'],
    on: 'source',
    // else it has nothing to do that lasts
    prepare: async (bench) => {
      await bench.abandon(['prove'], /^sql: CREATE DATABASE/)
      await bench.abandonFile()
    },
    examine: async (bench) => assert.deepEqual(await bench.unfinishedFiles(), []),
  },
  {
    name: 'forget',
    repository: 'three backups',
    args: forgetting,
    on: 'source',
    examine: (bench) => bench.assertBackups(2),
  },
  {
    name: 'key add',
    repository: 'one backup',
    args: ['key', 'add', '--to', ann],
    on: 'source',
    prepare: (bench) => bench.removeFile(ann),
    settle: async (bench, host) => {
      await finish(host, ['key', 'add', '--to', ann], /ann.key exists already/)
      await assertKeys(host, 2)
      await assertKeys(host.with({ PGREVIVE_KEY_FILE: ann }), 2)
      await bench.removeFile(ann)
    },
    examine: (bench) => bench.assertBackups(1),
  },
  {
    name: 'key remove',
    repository: 'one backup',
    args: ['key', 'remove', 'ann'],
    on: 'source',
    prepare: async (bench) => {
      await bench.removeFile(ann)
      await bench.succeed('key', 'add', '--to', ann)
    },
    settle: async (bench, host) => {
      await finish(host, ['key', 'remove', 'ann'], /\[key-unknown\]/)
      await assertKeys(host, 1)
      await bench.removeFile(ann)
      await bench.succeed('key', 'add', '--to', ann)
    },
    examine: (bench) => bench.assertBackups(1),
  },
  {
    name: 'key rotate',
    repository: 'one backup',
    args: ['key', 'rotate'],
    on: 'source',
    settle: async (bench, host) => {
      await finish(host, ['key', 'rotate'], /recovery-kit.txt exists already/)
      for (const variables of [{}, { PGREVIVE_KEY_FILE: 'pgrevive-recovery-kit.txt' }]) {
        await assertKeys(host.with(variables), 1)
      }
      await bench.removeFile('pgrevive-recovery-kit.txt')
    },
    examine: (bench) => bench.assertBackups(1),
  },
  {
    name: 'prune',
    repository: 'three backups',
    args: pruning,
    on: 'source',
    prepare: async (bench) => {
      await bench.passTime(72)
      await bench.succeed(...forgetting)
    },
    examine: (bench) => bench.assertBackups(2),
  },
  {
    name: 'prune, a day later',
    repository: 'three backups',
    args: pruning,
    on: 'source',
    prepare: async (bench) => {
      await bench.passTime(72)
      await bench.succeed(...forgetting)
      await bench.succeed(...pruning)
      await bench.passTime(25)
    },
    examine: (bench) => bench.assertBackups(2),
  },
]
