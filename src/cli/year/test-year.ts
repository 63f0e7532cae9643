import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { backUpDatabase } from '../../backup/back-up-database.ts'
import { loadSql, startTestServer } from '../../postgres/server/test-server.ts'
import { everything } from '../../repository/backups/manifest.ts'
import { backupStreams, listBackups } from '../../repository/backups/open-backup.ts'
import { createRepository } from '../../repository/create-repository.ts'
import { pruneRepository } from '../../repository/prune/prune-repository.ts'
import { forgetBackups } from '../../repository/retention/forget-backups.ts'
import { planForgetting } from '../../repository/retention/plan-forgetting.ts'
import { usualShrinkPercent } from '../../repository/retention/shrinkage.ts'
import { proveBackup } from '../../restore/prove-backup.ts'
import { DirectoryStore } from '../../store/directory/directory-store.ts'
import { PassingTimeStore } from '../../store/test-passing-time.ts'

export interface YearOptions {
  readonly days: number
  readonly policy: { readonly keepDaily: number; readonly keepWeekly: number; readonly keepMonthly: number }
  readonly tell: (line: string) => void
}

export interface YearOutcome {
  readonly kept: number
  readonly proven: number
  readonly freedBytes: number
  readonly leftBytes: number
}

const shop = `
  CREATE TABLE orders (id int PRIMARY KEY, day int, note text);
  CREATE TABLE customers (id int PRIMARY KEY, name text);
  INSERT INTO customers SELECT i, 'customer ' || i FROM generate_series(1, 300) i`
const work = (day: number) => `
  INSERT INTO orders SELECT i, ${day}, sha512(i::text::bytea)::text FROM generate_series(${day * 50}, ${day * 50 + 49}) i;
  UPDATE customers SET name = name || '.' WHERE id % 100 = ${day % 100};
  DELETE FROM orders WHERE day < ${day - 60}`

/** A nightly backup, forget and prune of a database that is worked on, on a store whose clock goes on by a day at once. */
export async function year({ days, policy, tell }: YearOptions): Promise<YearOutcome> {
  await using server = await startTestServer()
  const target = await server.createDatabase()
  await loadSql(target, shop)
  const folder = await mkdtemp(join(tmpdir(), 'pgrevive-year-'))
  try {
    const store = new PassingTimeStore(await DirectoryStore.create(folder))
    const { repository } = await createRepository(store, { averageChunkBytes: 4096 })
    const environment = process.env
    const dayOf = new Map<string, number>()
    const started = await store.now()
    let freedBytes = 0
    for (let day = 0; day < days; day++) {
      await loadSql(target, work(day))
      const options = { selection: everything, database: 'shop', jobs: 1, pgDump: 'auto', environment } as const
      dayOf.set((await backUpDatabase(target, [repository], options)).id, day)
      const rules = { policyOf: () => policy, shrinkPercentOf: () => usualShrinkPercent }
      const { decisions, shrinkage } = await planForgetting(repository, rules)
      assert.deepEqual(shrinkage, [])
      await forgetBackups(
        repository,
        decisions.filter(({ keep }) => !keep).map(({ backup }) => backup.id),
      )
      const before = await diskUse(folder)
      const report = await pruneRepository(repository, {
        streamsOf: (record, reader) => backupStreams(reader, record),
      })
      assert.equal(before - (await diskUse(folder)), report.freedBytes - report.storedBytes, `day ${day}`)
      freedBytes += report.freedBytes
      if (day % 30 === 29) tell(`day ${day + 1}: ${await diskUse(folder)} bytes, ${freedBytes} freed so far`)
      store.pass(24)
    }
    const { backups } = await listBackups(repository)
    assert.deepEqual(
      backups.map(({ id }) => dayOf.get(id)),
      expectedDays(days, policy, started),
    )
    let proven = 0
    for (const backup of backups) {
      const proof = await proveBackup(repository, backup, { on: server.target, assertions: [], jobs: 2, environment })
      assert.deepEqual([proof.outcome, proof.differences], ['proven', []])
      proven++
    }
    return { kept: backups.length, proven, freedBytes, leftBytes: await diskUse(folder) }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** What the policy says, put otherwise: the last days, and the last day of each of the last weeks and months. Ascending. */
function expectedDays(days: number, { keepDaily, keepWeekly, keepMonthly }: YearOptions['policy'], started: Date) {
  const dateOf = (day: number) => new Date(started.getTime() + day * 24 * 3600 * 1000)
  const all = Array.from({ length: days }, (_, day) => day)
  const isLastOf = (periodOf: (date: Date) => string | number) => (day: number) =>
    day === days - 1 || periodOf(dateOf(day)) !== periodOf(dateOf(day + 1))
  const ofWeeks = all.filter(isLastOf((date) => Math.floor((Math.floor(date.getTime() / 86_400_000) + 3) / 7)))
  const ofMonths = all.filter(isLastOf((date) => date.getUTCMonth()))
  const kept = new Set([...all.slice(-keepDaily), ...ofWeeks.slice(-keepWeekly), ...ofMonths.slice(-keepMonthly)])
  return all.filter((day) => kept.has(day))
}

/** As `du --apparent-size` counts files. */
async function diskUse(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}
