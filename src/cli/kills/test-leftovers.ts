import assert from 'node:assert/strict'
import { lstat, readdir, readlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestServer } from '../../postgres/server/test-server.ts'
import { checkRepository } from '../../repository/check/check-repository.ts'
import { backupStreams, listBackups } from '../../repository/backups/open-backup.ts'
import type { Repository } from '../../repository/repository.ts'
import { until } from '../commands/test-host.ts'

/**
 * The repository is without damage at a level of check, and holds so many backups, if that is known. A change of keys that
 * was stopped is no damage.
 */
export async function assertSound(repository: Repository, level: 1 | 3, backups?: number): Promise<void> {
  const { damages } = await checkRepository(repository, {
    level,
    streamsOf: (record, reader) => backupStreams(reader, record),
  })
  const listed = await listBackups(repository)
  const real = damages.filter(({ problem }) => problem !== 'outdated')
  assert.deepEqual([real, listed.damaged], [[], []])
  if (backups !== undefined) assert.equal(listed.backups.length, backups)
}

/** Of temporary directories of these processes, and of what lies elsewhere and belongs to them. */
export async function directoriesOf(...processIds: readonly number[]): Promise<string[]> {
  const names: string[] = []
  for (const name of await readdir('/tmp')) {
    if (!processIds.some((id) => new RegExp(`^pgrevive-[a-z]+-[0-9a-f]{6}-${id}-`).test(name))) continue
    const found = await lstat(join('/tmp', name)).catch(() => undefined)
    if (found?.uid === process.geteuid?.()) names.push(name) // another user's process may have had the same id
  }
  const found = await Promise.all(
    names.map(async (name) => [join('/tmp', name), await readlink(join('/tmp', name, 'data')).catch(() => '')]),
  )
  return found.flat().filter((path) => path !== '')
}

/** Programs whose working directory lies, or lay, in one of these. */
export async function programsIn(directories: readonly string[]): Promise<string[]> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    ids.map(async (id) => {
      const cwd = await readlink(`/proc/${id}/cwd`).catch(() => '')
      return directories.some((directory) => cwd.startsWith(directory)) ? [`${id} in ${cwd}`] : []
    }),
  )
  return found.flat()
}

const temporaryDatabases = "SELECT datname FROM pg_database WHERE datname ~ '^pgrevive_'"
const sessions = "SELECT query FROM pg_stat_activity WHERE application_name = 'pgrevive' AND pid <> pg_backend_pid()"

export async function assertNothingLeftOn(server: TestServer): Promise<void> {
  await using connection = await server.connect()
  assert.deepEqual(await connection.query(temporaryDatabases), [])
  await until(async () => (await connection.query(sessions)).length === 0)
}

/** Unfinished files of the store go when they are old, all of them. */
export async function assertUnfinishedGoes(repository: Repository): Promise<void> {
  const folder = join(repository.store.location, 'tmp')
  const names = await readdir(folder).catch(() => [])
  for (const name of names) await utimes(join(folder, name), new Date(0), new Date(0))
  assert.equal(await repository.store.removeAbandoned(), names.length)
  assert.deepEqual(await readdir(folder).catch(() => []), [])
}
