import { describeTarget } from '../../postgres/target/connection-target.ts'
import type { RowDifference } from '../../restore/rows/compare-rows.ts'
import { type TableDiff, diffRows } from '../../restore/rows/diff-rows.ts'
import type { CommandContext } from '../command-context.ts'
import type { WayOptions } from '../commands/restore.ts'
import { type Outcome, differentExitCode } from '../define-command.ts'
import type { BackupReference } from '../repositories/backup-reference.ts'
import { locateBackup, withOthers } from '../repositories/locate-backup.ts'
import type { Palette } from '../terminal/color.ts'
import { formatCount, formatQuantity, formatTable, formatTime } from '../../core/text/format.ts'
import { printable, printableLines } from '../../core/text/printable.ts'
import { truncateText } from '../../core/text/text-width.ts'
import { findLive } from './find-target.ts'

/** All of them are in memory at once. */
export const mostListed = 100_000
const usuallyListed = 10

/** The rows of some tables of a backup, and the live ones; what is missing is inserted if that was asked for. */
export async function diffRowsOfTables(
  reference: BackupReference,
  options: WayOptions,
  context: CommandContext,
): Promise<Outcome> {
  const startedMs = performance.now()
  const { backup, found, others } = await locateBackup(reference, context)
  const target = await findLive(options.to, backup.record.database, context)
  const { terminal } = context
  const { tables, notes } = await diffRows(found.repository, backup, target, {
    tables: options.table,
    key: options.key,
    limit: options.limit ?? (terminal.json ? mostListed : usuallyListed),
    apply: options.apply,
    onProgress: context.onProgress,
    signal: context.signal,
  }).catch((error: unknown) => {
    throw withOthers(error, others)
  })
  const lacksRows = tables.some(({ missing, inserted }) => missing > (inserted ?? 0))
  const equal = tables.every(({ missing, changed, extra }) => missing + changed + extra === 0)
  const { colors, outputWidth } = terminal
  const place = describeTarget(target)
  const at = formatTime(new Date(backup.record.snapshot.at))
  const blocks = tables.map(
    (table) =>
      `\n${verdict(table, colors)}${formatTable(columns(colors), listed(table), { width: outputWidth })}${more(table)}`,
  )
  return {
    document: {
      backup: backup.id,
      target: place,
      equal,
      tables,
      notes,
      durationMs: Math.round(performance.now() - startedMs),
    },
    text:
      `${colors.strong('-')}  ${printable(`only in backup ${backup.id} of ${backup.record.database}, ${at}`)}\n` +
      `${colors.strong('+')}  ${printable(`only in ${place} now`)}\n${blocks.join('')}` +
      notes.map((note) => `${colors.warning('note')}: ${printableLines(note, 2)}\n`).join(''),
    exitCode: (options.apply ? lacksRows : !equal) ? differentExitCode : 0,
  }
}

function verdict({ table, equal, missing, changed, extra, inserted }: TableDiff, colors: Palette): string {
  const same = missing + changed + extra === 0
  const parts = [
    `${formatCount(equal)} equal`,
    ...(missing > 0 ? [`${formatCount(missing)} missing`] : []),
    ...(changed > 0 ? [`${formatCount(changed)} changed`] : []),
    ...(extra > 0 ? [`${formatCount(extra)} extra`] : []),
  ]
  const done = inserted === null ? '' : `; ${colors.good(`${formatQuantity(inserted, 'row')} inserted`)}`
  const name = colors.strong(printable(`${table.schema}.${table.name}`))
  return `${same ? colors.good('equal') : colors.warning('different')}: ${name}: ${parts.join(', ')}${done}\n`
}

const marks = { missing: '-', changed: '~', extra: '+' } as const
const shownValue = 40

const columns = (colors: Palette) => [
  {
    title: '',
    style: (mark: string) =>
      (mark.includes('-') ? colors.bad : mark.includes('+') ? colors.good : colors.warning)(mark),
  },
  { title: '' },
  { title: '' },
]

function listed({ differences }: TableDiff): string[][] {
  return differences.map(({ kind, key, changes }) => [
    marks[kind],
    Object.entries(key)
      .map(([column, value]) => `${column}=${show(value)}`)
      .join(' '),
    changes.map(({ column, before, after }) => `${column} ${show(before)} → ${show(after)}`).join(', '),
  ])
}

function show(value: string | null): string {
  return value === null ? 'NULL' : value === '' ? "''" : truncateText(value.slice(0, 2 * shownValue), shownValue)
}

function more({ differences, missing, changed, extra }: TableDiff): string {
  const shown = (kind: RowDifference['kind']) => differences.filter((it) => it.kind === kind).length
  const left = Object.entries({ missing, changed, extra } as const).flatMap(([kind, count]) => {
    const rest = count - shown(kind as RowDifference['kind'])
    return rest > 0 ? [`${formatCount(rest)} ${kind}`] : []
  })
  return left.length === 0 ? '' : `   and ${left.join(', ')}: --limit shows more\n`
}
