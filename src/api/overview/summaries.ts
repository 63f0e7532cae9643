import type { KnownDatabase } from '../../service/catalog/catalog.ts'
import type { Backup, DatabaseSummary, Day } from '../../shapes/database.ts'
import type { ApiService } from '../api-service.ts'
import { readDays } from './days.ts'

/** All databases that are configured, that were found on a server, or of which there are backups; what needs attention first. */
export function summarizeAll(service: ApiService): DatabaseSummary[] {
  return summarize(service.catalog.databases(), service).toSorted(byNeed)
}

/** Undefined for a name that nothing knows. */
export function summarizeOne(name: string, service: ApiService): DatabaseSummary | undefined {
  const known = service.catalog.databases().find((one) => one.name === name)
  if (known) return summarize([known], service)[0]
  // such as what a restore has saved of another
  const isThere = service.catalog.backups(name).length > 0
  return isThere ? summarize([{ name, source: null, server: null, gone: true }], service)[0] : undefined
}

const needs = { failing: 0, 'at-risk': 1, unknown: 2, ok: 3 } as const

function byNeed(one: DatabaseSummary, other: DatabaseSummary): number {
  return (
    Number(one.gone) - Number(other.gone) || needs[one.state] - needs[other.state] || (one.name < other.name ? -1 : 1)
  )
}

function summarize(databases: readonly KnownDatabase[], service: ApiService): DatabaseSummary[] {
  const now = service.clock.now()
  const names = databases.map(({ name }) => name)
  const days = readDays(service.state, names, now)
  const active = service.runs.list({ states: ['running', 'waiting'], limit: 1000 }).items.toReversed()
  const running = new Map<string, string>()
  for (const state of ['running', 'waiting']) {
    for (const run of active.filter((one) => one.state === state && one.command === 'backup')) {
      for (const name of run.databases) if (!running.has(name)) running.set(name, run.id)
    }
  }
  return databases.map((database) =>
    summaryOf(database, service, now, {
      days: days.get(database.name) ?? [],
      running: running.get(database.name) ?? null,
    }),
  )
}

function summaryOf(
  { name, source, server, gone }: KnownDatabase,
  { config, catalog, watch }: ApiService,
  now: Date,
  { days, running }: { days: Day[]; running: string | null },
): DatabaseSummary {
  const { rpo, proveEvery, restoreWithin } = config.databases.get(name)?.objectives ?? config.objectives
  const backups = catalog.backups(name)
  const judgement = watch.judge.judge(name, now)
  // nothing is demanded of what is not there any more; to when it can be restored is as true as before
  const demanded = gone ? { rpo: null, proveEvery: null, restoreWithin: null } : { rpo, proveEvery, restoreWithin }
  const [newest] = backups
  return {
    name,
    source,
    server,
    gone,
    state: gone ? 'unknown' : judgement.state,
    reasons: gone ? [] : [...judgement.reasons],
    objectives: demanded,
    restorableTo: judgement.restorableTo?.toISOString() ?? null,
    lastBackup: newest ? lastBackupOf(newest) : null,
    lastProof: lastProofOf(backups),
    days,
    nextRun: gone ? null : (watch.judge.nextRun('backup', name, now)?.toISOString() ?? null),
    running,
  }
}

function lastBackupOf({ id, snapshotAt, bytes, stored, proof }: Backup): DatabaseSummary['lastBackup'] {
  return { id, at: snapshotAt, bytes, stored, proof: proof?.outcome ?? 'unproven' }
}

function lastProofOf(backups: readonly Backup[]): DatabaseSummary['lastProof'] {
  let last: DatabaseSummary['lastProof'] = null
  for (const { id, proof } of backups) {
    if (proof && (last === null || proof.at > last.at)) {
      last = { backup: id, at: proof.at, outcome: proof.outcome, tookMs: proof.tookMs }
    }
  }
  return last
}
