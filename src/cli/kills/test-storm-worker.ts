/** A process of `test-storm.ts`, to be killed: backs up, or forgets and prunes, for ever. Tells on its stdout what it did. */
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { backUpDatabase } from '../../backup/back-up-database.ts'
import { hasCode } from '../../core/app-error.ts'
import { resolveConnection } from '../../postgres/target/connection-target.ts'
import { everything } from '../../repository/backups/manifest.ts'
import { backupStreams, listBackups } from '../../repository/backups/open-backup.ts'
import { parseKeyFile } from '../../repository/keys/key-file.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { pruneRepository } from '../../repository/prune/prune-repository.ts'
import { Repository } from '../../repository/repository.ts'
import { forgetBackups } from '../../repository/retention/forget-backups.ts'
import { openStore } from '../../store/open-store.ts'
import { parseStorePlace } from '../../store/store-place.ts'

/** What the storm says by the variable PGREVIVE_TEST_STORM. */
export const stormSchema = z.strictObject({
  place: z.string(),
  keyFile: z.string(),
  database: z.string(),
  /** A day of the protocol in the hours of this storm, and all that goes by it. */
  graceHours: z.number(),
  commitWindowHours: z.number(),
  packBytes: z.number(),
})
export type Storm = z.output<typeof stormSchema>

/** One line of a worker. Backups that it is `forgetting` may be there or not from then on. */
export const deedSchema = z.discriminatedUnion('what', [
  z.object({ what: z.literal('committed'), id: z.ulid() }),
  z.object({ what: z.literal('forgetting'), ids: z.array(z.ulid()) }),
  z.object({ what: z.literal('pruned'), removed: z.int(), rescued: z.int(), freedBytes: z.int() }),
  /** As it may: the errors that a backup or a prune may meet in a storm. */
  z.object({ what: z.literal('failed'), code: z.string() }),
])
type Deed = z.output<typeof deedSchema>

/** A repository whose days last seconds. No place and no option of pgrevive says so: its `config` knows nothing of it. */
export async function openInStorm({ place, keyFile, ...hurry }: Storm): Promise<Repository> {
  const store = await openStore(parseStorePlace(place, '/'), { environment: process.env, homeDirectory: '/' })
  const { context, key } = await openRepository(store, { keys: [parseKeyFile(keyFile)] })
  const { graceHours, commitWindowHours, packBytes } = hurry
  return new Repository({ ...context, config: { ...context.config, graceHours, commitWindowHours, packBytes } }, key)
}

function tell(deed: Deed): void {
  process.stdout.write(`${JSON.stringify(deed)}\n`)
}

async function backUp(storm: Storm): Promise<void> {
  const target = await resolveConnection(storm.database, { environment: {} })
  const options = {
    selection: everything,
    database: 'shop',
    jobs: 2,
    pgDump: 'auto',
    environment: process.env,
  } as const
  const { id } = await backUpDatabase(target, [await openInStorm(storm)], options)
  tell({ what: 'committed', id })
}

async function forgetAndPrune(storm: Storm): Promise<void> {
  const repository = await openInStorm(storm)
  const { backups } = await listBackups(repository)
  const ids = backups.slice(0, -4).flatMap(({ id }) => (Math.random() < 0.3 ? [id] : []))
  tell({ what: 'forgetting', ids })
  await forgetBackups(repository, ids)
  const { removed, rescued, freedBytes } = await pruneRepository(repository, {
    maxRepackBytes: Math.random() < 0.5 ? 1 : 1e9,
    streamsOf: (record, reader) => backupStreams(reader, record),
  })
  tell({ what: 'pruned', removed: removed.packs, rescued: rescued.packs, freedBytes })
}

/**
 * A session that was too slow, a prune that finds a backup forgotten, or moved by another, half-way, and a process that stood
 * still while a server waited for it: run again.
 */
const allowed = ['session-too-old', 'object-missing', 'connection-failed', 'connection-lost'] as const

if (import.meta.main) {
  const storm = stormSchema.parse(JSON.parse(process.env['PGREVIVE_TEST_STORM'] ?? ''))
  for (;;) {
    try {
      await (process.argv[2] === 'backup' ? backUp(storm) : forgetAndPrune(storm))
    } catch (error) {
      if (!hasCode(error, ...allowed)) throw error
      tell({ what: 'failed', code: error.code })
    }
    await delay(Math.random() * 1500)
  }
}
