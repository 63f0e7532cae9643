import { z } from 'zod'
import { type Backup, backup } from '../../shapes/database.ts'
import { type Repository, repository } from '../../shapes/repository.ts'
import { json } from '../state/json-column.ts'
import type { State } from '../state/state.ts'
import {
  type FoundDatabases,
  type Listed,
  type ListedCopy,
  type ListedRepository,
  mergeCopies,
} from './listed-repositories.ts'

const keptGrowthDays = 400
const shownGrowthDays = 90

const copyRow = z.object({ document: json(backup) })
const repositoryRow = z.object({
  name: z.string(),
  looked_at: z.string().nullable(),
  reachable: z.int().nullable(),
  error: json(repository.shape.error.unwrap()).nullable(),
  backups: z.int(),
  bytes: z.int().nullable(),
  stored: z.int().nullable(),
  packed: z.int().nullable(),
  unique_bytes: z.int().nullable(),
  last_check: json(repository.shape.lastCheck.unwrap()).nullable(),
})

/** The newest first. */
export function readBackups(state: State, database: string): Backup[] {
  const rows = state.all(copyRow, 'select document from backup where database = :database', { database })
  const copies = Map.groupBy(
    rows.map(({ document }) => document),
    ({ id }) => id,
  )
  return Array.from(copies.values(), mergeCopies).toSorted((a, b) =>
    a.snapshotAt === b.snapshotAt ? (a.id < b.id ? 1 : -1) : a.snapshotAt < b.snapshotAt ? 1 : -1,
  )
}

/** All of its tables' rows, whichever are left out by a later look. */
export function readBackup(state: State, id: string): Backup | undefined {
  const copies = state.all(copyRow, 'select document from backup where id = :id', { id })
  return copies.length === 0 ? undefined : mergeCopies(copies.map(({ document }) => document))
}

export function databasesWithBackups(state: State): string[] {
  const row = z.object({ database: z.string() })
  return state.all(row, 'select distinct database from backup').map(({ database }) => database)
}

/** What is known of a repository, but for where it is. */
export function readRepository(state: State, name: string): Omit<Repository, 'place' | 'kind'> {
  const row = state.first(repositoryRow, 'select * from repository where name = :name', { name })
  const growth = state
    .all(
      repository.shape.growth.element,
      'select date, stored from repository_growth where repository = :name order by date desc limit :limit',
      { name, limit: shownGrowthDays },
    )
    .toReversed()
  return {
    name,
    reachable: row?.reachable === null || row === undefined ? null : row.reachable === 1,
    error: row?.error ?? null,
    lookedAt: row?.looked_at ?? null,
    backups: row?.backups ?? 0,
    bytes: row?.bytes ?? null,
    stored: row?.stored ?? null,
    dedup: factor(row?.bytes, row?.unique_bytes),
    compression: factor(row?.unique_bytes, row?.packed),
    lastCheck: row?.last_check ?? null,
    growth,
  }
}

function factor(whole: number | null | undefined, part: number | null | undefined): number | null {
  return whole && part ? whole / part : null
}

/**
 * Takes what was listed for what there is; of a repository that failed the backups stay as they were seen last. Returns
 * the databases of whose backups something has changed.
 */
export function writeListed(state: State, { copies, repositories, failed }: Listed, now: Date): Set<string> {
  const byRepository = Map.groupBy(copies, ({ repository }) => repository)
  return state.transaction(() => {
    const changed = new Set<string>()
    for (const listed of repositories) {
      for (const database of writeCopies(state, listed.repository, byRepository.get(listed.repository) ?? [])) {
        changed.add(database)
      }
      writeSizes(state, listed, now)
    }
    for (const { repository, error } of failed) writeFailure(state, repository, error, now)
    return changed
  })
}

/** That a repository could not be listed. */
export function writeFailure(state: State, name: string, error: Repository['error'], now: Date): void {
  state.change(
    `insert into repository (name, looked_at, reachable, error) values (:name, :now, 0, :error)
     on conflict (name) do update set looked_at = :now, reachable = 0, error = :error`,
    { name, now: now.toISOString(), error: JSON.stringify(error) },
  )
}

/** Forgets what was known of repositories that pgrevive.yaml does not name any more. */
export function keepRepositories(state: State, names: readonly string[]): void {
  const known = { names: JSON.stringify(names) }
  state.transaction(() => {
    state.change('delete from backup where repository not in (select value from json_each(:names))', known)
    state.change('delete from repository where name not in (select value from json_each(:names))', known)
  })
}

function writeCopies(state: State, repository: string, copies: readonly ListedCopy[]): Set<string> {
  const removed = state.all(
    z.object({ database: z.string() }),
    `delete from backup where repository = :repository and id not in (select value from json_each(:ids)) returning database`,
    { repository, ids: JSON.stringify(copies.map(({ backup: { id } }) => id)) },
  )
  const changed = new Set(removed.map(({ database }) => database))
  for (const { backup: copy, isWhole } of copies) {
    const changes = state.change(
      `insert into backup (id, repository, database, started_at, finished_at, snapshot_at, committed_at, tables, rows,
         bytes, stored, whole, proof, proof_at, proof_ms, pinned, document)
       values (:id, :repository, :database, :startedAt, :finishedAt, :snapshotAt, :committedAt, :tables, :rows,
         :bytes, :stored, :whole, :proof, :proofAt, :proofMs, :pinned, :document)
       on conflict do update set proof = :proof, proof_at = :proofAt, proof_ms = :proofMs, pinned = :pinned,
         document = :document where document <> :document`,
      {
        id: copy.id,
        repository,
        database: copy.database,
        startedAt: copy.startedAt,
        finishedAt: copy.finishedAt,
        snapshotAt: copy.snapshotAt,
        committedAt: copy.places[0]?.committedAt ?? copy.finishedAt,
        tables: copy.tables,
        rows: copy.rows,
        bytes: copy.bytes,
        stored: copy.stored,
        whole: isWhole ? 1 : 0,
        proof: copy.proof?.outcome ?? null,
        proofAt: copy.proof?.at ?? null,
        proofMs: copy.proof?.tookMs ?? null,
        pinned: copy.pin ? 1 : 0,
        document: JSON.stringify(copy),
      },
    )
    if (changes > 0) changed.add(copy.database)
  }
  return changed
}

const levelNames = ['list', 'structure', 'bits', 'content']

function writeSizes(state: State, listed: ListedRepository, now: Date): void {
  const { repository: name, backups, bytes, stored, packed, unique, checked } = listed
  const check = checked && {
    at: checked.at,
    level: levelNames[checked.level] ?? String(checked.level),
    ok: checked.isWhole,
  }
  state.change(
    `insert or replace into repository (name, looked_at, reachable, error, backups, bytes, stored, packed, unique_bytes, last_check)
     values (:name, :now, 1, null, :backups, :bytes, :stored, :packed, :unique, :check)`,
    { name, now: now.toISOString(), backups, bytes, stored, packed, unique, check: check && JSON.stringify(check) },
  )
  const date = now.toISOString().slice(0, 10)
  state.change('insert or replace into repository_growth (repository, date, stored) values (:name, :date, :stored)', {
    name,
    date,
    stored,
  })
  const oldest = new Date(now.getTime() - keptGrowthDays * 24 * 3600 * 1000).toISOString().slice(0, 10)
  state.change('delete from repository_growth where date < :oldest', { oldest })
}

const discoveredRow = z.object({ server: z.string(), name: z.string(), gone_at: z.string().nullable() })

/** By the names that commands take, `main/shop`. */
export function readDiscovered(state: State): { server: string; name: string; gone: boolean }[] {
  return state
    .all(discoveredRow, 'select server, name, gone_at from discovered_database order by server, name')
    .map(({ server, name, gone_at }) => ({ server, name, gone: gone_at !== null }))
}

/** What servers have, and have no more; nothing changes of those that could not be asked. Returns how many came or went. */
export function writeDiscovered(
  state: State,
  { databases, failed }: FoundDatabases,
  servers: readonly string[],
  now: Date,
): number {
  const at = now.toISOString()
  const asked = servers.filter((name) => !failed.some(({ server }) => server === name))
  const found = databases.filter(({ server }) => server !== null)
  return state.transaction(() => {
    let changes = state.change(
      'delete from discovered_database where server not in (select value from json_each(:servers))',
      {
        servers: JSON.stringify(servers),
      },
    )
    changes += state.change(
      `update discovered_database set gone_at = :at where gone_at is null and server in (select value from json_each(:asked))
         and name not in (select value from json_each(:names))`,
      { at, asked: JSON.stringify(asked), names: JSON.stringify(found.map(({ name }) => name)) },
    )
    for (const { name, server } of found) {
      const isThere = state.change(
        'update discovered_database set last_seen_at = :at where server = :server and name = :name and gone_at is null',
        { at, server, name },
      )
      if (isThere > 0) continue
      changes += state.change(
        `insert into discovered_database (server, name, first_seen_at, last_seen_at) values (:server, :name, :at, :at)
         on conflict do update set last_seen_at = :at, gone_at = null`,
        { at, server, name },
      )
    }
    return changes
  })
}
