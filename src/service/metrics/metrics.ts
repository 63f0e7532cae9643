import { Gauge, Registry } from 'prom-client'
import { z } from 'zod'
import { toolVersion } from '../../core/tool-version.ts'
import { severities } from '../../shapes/alert.ts'
import { objectiveState } from '../../shapes/database.ts'
import type { Service } from '../service.ts'

/** What of the service is measured. */
export type Measured = Pick<Service, 'state' | 'runs' | 'catalog' | 'alerts' | 'watch' | 'clock'>

/**
 * All metrics, in the text format of Prometheus: what is now, read when it is asked for. Times are seconds since 1970,
 * durations seconds, sizes bytes. packaging/grafana and packaging/prometheus use them.
 */
export async function metricsText(service: Measured): Promise<string> {
  const registry = new Registry()
  const gauge = gaugeMaker(registry)
  const now = service.clock.now()
  gauge('pgrevive_build_info', 'The version; always 1', ['version']).set(
    { version: toolVersion.replace(/^\S+ /, '') },
    1,
  )
  measureDatabases(service, now, gauge)
  measureRepositories(service, gauge)
  measureRuns(service, gauge)
  const alerts = gauge('pgrevive_alerts_open', 'Alerts that have not ended', ['severity'])
  const open = service.alerts.openOf()
  for (const severity of severities) alerts.set({ severity }, open.filter((one) => one.severity === severity).length)
  return registry.metrics()
}

type GaugeMaker = ReturnType<typeof gaugeMaker>

function gaugeMaker(registry: Registry) {
  return (name: string, help: string, labelNames: readonly string[]) =>
    new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] })
}

function measureDatabases({ catalog, watch }: Measured, now: Date, gauge: GaugeMaker): void {
  const label = ['database'] as const
  const state = gauge('pgrevive_database_state', '1 for the state against its objectives', ['database', 'state'])
  const freshness = gauge(
    'pgrevive_database_freshness_seconds',
    'Age of the data that a restore would bring, as was proven',
    label,
  )
  const backupAt = gauge('pgrevive_database_last_backup_timestamp_seconds', 'Snapshot of the newest backup', label)
  const bytes = gauge('pgrevive_database_last_backup_bytes', 'What the newest backup holds, uncompressed', label)
  const stored = gauge(
    'pgrevive_database_last_backup_stored_bytes',
    'What the newest backup added to its repository',
    label,
  )
  const rows = gauge('pgrevive_database_last_backup_rows', 'Rows of the newest backup', label)
  const backupTook = gauge('pgrevive_database_last_backup_duration_seconds', 'How long the newest backup took', label)
  const proofAt = gauge('pgrevive_database_last_proof_timestamp_seconds', 'When a backup was last proven', label)
  const proofTook = gauge('pgrevive_database_last_proof_duration_seconds', 'How long the last proof took', label)
  const next = gauge('pgrevive_database_next_backup_timestamp_seconds', 'When the next backup is due', label)
  for (const { name: database, gone } of catalog.databases()) {
    if (gone) continue
    const judged = watch.judge.judge(database, now)
    for (const one of objectiveState.options) state.set({ database, state: one }, judged.state === one ? 1 : 0)
    if (judged.restorableTo) freshness.set({ database }, (now.getTime() - judged.restorableTo.getTime()) / 1000)
    const backups = catalog.backups(database)
    const [newest] = backups
    if (newest) {
      backupAt.set({ database }, seconds(newest.snapshotAt))
      bytes.set({ database }, newest.bytes)
      stored.set({ database }, newest.stored)
      rows.set({ database }, newest.rows)
      backupTook.set({ database }, seconds(newest.finishedAt) - seconds(newest.startedAt))
    }
    const proofs = backups.flatMap(({ proof }) => (proof?.outcome === 'proven' ? [proof] : []))
    const last = proofs.reduce<(typeof proofs)[number] | undefined>(
      (best, one) => (!best || one.at > best.at ? one : best),
      undefined,
    )
    if (last) proofAt.set({ database }, seconds(last.at))
    if (last) proofTook.set({ database }, last.tookMs / 1000)
    const nextAt = watch.judge.nextRun('backup', database, now)
    if (nextAt) next.set({ database }, nextAt.getTime() / 1000)
  }
}

function measureRepositories({ catalog }: Measured, gauge: GaugeMaker): void {
  const label = ['repository'] as const
  const reachable = gauge('pgrevive_repository_reachable', '1 if it could be listed when it was last tried', label)
  const looked = gauge('pgrevive_repository_last_look_timestamp_seconds', 'When it was last listed', label)
  const stored = gauge('pgrevive_repository_stored_bytes', 'What it takes in its store', label)
  const backups = gauge('pgrevive_repository_backups', 'Backups in it', label)
  const checkedAt = gauge('pgrevive_repository_last_check_timestamp_seconds', 'When it was last checked', label)
  const isWhole = gauge('pgrevive_repository_last_check_ok', '1 if the last check found no damage', label)
  for (const { name: repository, ...one } of catalog.repositories()) {
    if (one.reachable !== null) reachable.set({ repository }, one.reachable ? 1 : 0)
    if (one.lookedAt !== null) looked.set({ repository }, seconds(one.lookedAt))
    if (one.stored !== null) stored.set({ repository }, one.stored)
    backups.set({ repository }, one.backups)
    if (one.lastCheck) checkedAt.set({ repository }, seconds(one.lastCheck.at))
    if (one.lastCheck) isWhole.set({ repository }, one.lastCheck.ok ? 1 : 0)
  }
}

const countRow = z.object({ command: z.string(), state: z.string(), count: z.int() })
const lastRow = z.object({ command: z.string(), ended_at: z.string(), seconds: z.number().nullable() })

function measureRuns({ state }: Measured, gauge: GaugeMaker): void {
  // runs of more than 400 days ago are removed, so these are no counters
  const kept = gauge('pgrevive_runs', 'Runs that are remembered', ['command', 'state'])
  const counts = state.all(
    countRow,
    `select command, state, count(*) as count from run where command <> 'list' group by command, state`,
  )
  for (const { command, state: is, count } of counts) kept.set({ command, state: is }, count)
  const queue = gauge('pgrevive_runs_queue', 'Runs that wait, and that are at work', ['state'])
  for (const is of ['waiting', 'running']) {
    const all = counts.filter((one) => one.state === is)
    queue.set(
      { state: is },
      all.reduce((sum, { count }) => sum + count, 0),
    )
  }
  const last = gauge('pgrevive_run_last_success_timestamp_seconds', 'When a run last went well', ['command'])
  const took = gauge('pgrevive_run_last_success_duration_seconds', 'How long that run took', ['command'])
  const done = state.all(
    lastRow,
    `select command, max(ended_at) as ended_at, (julianday(ended_at) - julianday(started_at)) * 86400 as seconds
     from run where state = 'done' and command <> 'list' group by command`,
  )
  for (const row of done) {
    last.set({ command: row.command }, seconds(row.ended_at))
    if (row.seconds !== null) took.set({ command: row.command }, row.seconds)
  }
}

function seconds(time: string): number {
  return Date.parse(time) / 1000
}
