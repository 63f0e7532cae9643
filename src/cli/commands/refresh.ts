import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { formatBytes, formatDuration, formatQuantity, formatTime } from '../../core/text/format.ts'
import { printable, printableLines } from '../../core/text/printable.ts'
import { nearestWord } from '../../core/text/suggestion.ts'
import type { ConfiguredRefresh } from '../../config/config-refreshes.ts'
import { text } from '../../config/value-types.ts'
import { describeTarget } from '../../postgres/target/connection-target.ts'
import { momentOf } from '../../repository/backups/open-backup.ts'
import { type RefreshOutcome, refreshDatabase } from '../../restore/refresh/refresh-database.ts'
import { readSqlScript } from '../../restore/refresh/sql-script.ts'
import type { CommandContext } from '../command-context.ts'
import { configuredWay } from '../databases/database-target.ts'
import { reachDatabase } from '../databases/reach-database.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { jobs, wholeNumber } from '../option-types.ts'
import { refuseBackedUp } from '../refreshing/refuse-backed-up.ts'
import { type LocatedBackup, wholeBackups } from '../repositories/whole-backups.ts'

const refreshOptions = z.strictObject({
  refresh: text,
  /** Seconds. */
  grace: wholeNumber({ min: 0, max: 3600 }).default(10),
  jobs: jobs.optional(),
})
export type RefreshOptions = z.output<typeof refreshOptions>

async function refresh(options: RefreshOptions, context: CommandContext): Promise<Outcome> {
  const startedMs = performance.now()
  const settings = await context.settings()
  const { terminal, environment, onProgress, signal } = context
  const wanted = await findRefresh(options.refresh, context)
  const { name, from, keep, choices, createRoles } = wanted
  const scripts = await Promise.all(wanted.sql.map(readSqlScript))
  const target = await reachDatabase(await configuredWay(`refreshes.${name}.to`, wanted.to, environment), context)
  const { repository, backup } = await chooseBackup(wanted, context)
  const notes = await refuseBackedUp(target, { repository, backup }, context)
  const outcome = await refreshDatabase(repository, backup, target, {
    refresh: name,
    scripts,
    keep,
    choices,
    createRoles,
    graceMs: options.grace * 1000,
    jobs: options.jobs ?? settings.jobs,
    onNotice: (notice) => terminal.warn(printable(notice)),
    environment,
    onProgress,
    signal,
  })
  const tookMs = Math.round(performance.now() - startedMs)
  const told = [...notes, ...outcome.notes]
  const { good, strong, warning } = terminal.colors
  return {
    document: {
      refresh: name,
      backup: backup.id,
      target: describeTarget(target),
      scripts: scripts.map(({ path, statements }) => ({ path, statements: statements.length })),
      ...outcome,
      notes: told,
      durationMs: tookMs,
    },
    text:
      `${good('refreshed')} ${strong(printable(describeTarget(target)))} from ${printable(from)} as it was ${formatTime(new Date(backup.record.snapshot.at))}: ` +
      `${describeAmount(outcome)}, ${formatQuantity(scripts.length, 'script')}, in ${formatDuration(tookMs)}\n` +
      (outcome.kept === null ? '' : `  what had the name is kept as ${strong(printable(outcome.kept))}\n`) +
      told.map((note) => `  ${warning('note')}: ${printableLines(note, 4)}\n`).join(''),
  }
}

function describeAmount({ tables, rows, bytes }: RefreshOutcome): string {
  return `${formatQuantity(tables, 'table')}, ${formatQuantity(rows, 'row')}, ${formatBytes(bytes)}`
}

async function findRefresh(name: string, context: CommandContext): Promise<ConfiguredRefresh> {
  const { config } = await context.settings()
  const found = config?.refreshes.get(name)
  if (found) return found
  const names = [...(config?.refreshes.keys() ?? [])]
  const near = nearestWord(name, names)
  throw new AppError('usage-invalid', `pgrevive.yaml has no refresh "${printable(name)}"`, {
    hint:
      near !== undefined
        ? `did you mean "${near}"?`
        : names.length > 0
          ? `it has ${names.join(', ')}`
          : 'write it under refreshes: docs/how-to/staging.md',
  })
}

/** The newest that holds everything, is not refuted, and is proven unless that does not matter. */
async function chooseBackup({ from, proven }: ConfiguredRefresh, context: CommandContext): Promise<LocatedBackup> {
  const whole = await wholeBackups(from, context)
  const fitting = whole.filter(({ proof }) => (proven ? proof?.outcome === 'proven' : proof?.outcome !== 'refuted'))
  const [chosen] = fitting.toSorted((a, b) => momentOf(b.backup) - momentOf(a.backup))
  if (chosen) return chosen
  throw new AppError(
    'backup-unknown',
    whole.length === 0
      ? `there is no backup that holds all of "${printable(from)}"`
      : `no backup of "${printable(from)}" is proven`,
    {
      hint: `nothing was changed; ${whole.length === 0 ? '"pgrevive list" shows what there is' : '"pgrevive prove" proves the newest one; or add "proven: false" to the refresh'}`,
    },
  )
}

export const refreshCommand = defineCommand({
  name: 'refresh',
  summary: 'fill a staging database from a backup, changed by your SQL',
  description:
    'Does what "refreshes:" in pgrevive.yaml says: restores the newest proven whole backup of a database beside the one that it is to become, runs your scripts in it, makes materialized views and statistics again, and only then gives it the name, in one transaction; what had the name is dropped. Until the scripts have ended well nobody may connect to it but the role that refreshes and superusers. The database keeps its owner, privileges and settings. Whatever fails leaves it as it was. A database that is backed up itself is refused.',
  arguments: [{ key: 'refresh', name: 'NAME', presence: 'required', help: 'as pgrevive.yaml calls it' }],
  options: [
    {
      flags: '--grace <SECONDS>',
      help: 'how long transactions may take to end before the swap ends them (default: 10)',
    },
    { flags: '--jobs <N>', help: 'connections that write at the same time (default: cores, at most 4)' },
  ],
  examples: [{ command: 'pgrevive refresh staging', meaning: 'staging is as the newest proven backup, masked' }],
  schema: refreshOptions,
  keepsLog: true,
  readsOnly: true,
  run: refresh,
})
