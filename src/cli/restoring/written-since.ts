import { AppError } from '../../core/app-error.ts'
import { stateOfBackup, stateOfDatabase } from '../../diff/database-state.ts'
import type { TableDiff } from '../../diff/diff-contents.ts'
import { type Diff, diffStates } from '../../diff/diff-states.ts'
import { isDifferent } from '../../diff/value-diff.ts'
import { type ConnectionTarget, describeTarget } from '../../postgres/target/connection-target.ts'
import type { KeptRecord, SetAside } from '../../restore/in-place/set-aside.ts'
import type { CommandContext } from '../command-context.ts'
import type { WayOptions } from '../commands/restore.ts'
import { locateBackup } from '../repositories/locate-backup.ts'
import { formatCount, formatQuantity, formatTime } from '../../core/text/format.ts'
import { printable } from '../../core/text/printable.ts'

const shownTables = 10

/** What differs from the backup that was restored. */
type Written = Pick<Diff, 'tables' | 'sequences' | 'largeObjects'> & { readonly definitions: readonly string[] }

/** Says what was written into the database since it was restored; undefined where nobody can tell. */
export async function tellWritten(
  { record }: SetAside<KeptRecord>,
  target: ConnectionTarget,
  { compare, jobs }: WayOptions,
  context: CommandContext,
): Promise<Written | undefined> {
  const { terminal } = context
  if (!compare || record.state === 'undone') return undefined
  try {
    const { backup, found } = await locateBackup({ kind: 'id', prefix: record.backup }, context)
    const before = await stateOfBackup(await found.repository.openReader(context), backup, context)
    const settings = await context.settings()
    const after = await stateOfDatabase(target, before, {
      jobs: jobs ?? settings.jobs,
      pgDump: settings.pgDump,
      environment: context.environment,
      schemaOnly: false,
      tables: [],
      onProgress: context.onProgress,
      signal: context.signal,
    })
    const diff = diffStates(before, after, { schemaOnly: false, tables: [] })
    const written: Written = {
      tables: diff.tables.filter(isDifferent),
      sequences: diff.sequences.filter(isDifferent),
      largeObjects: diff.largeObjects && isDifferent(diff.largeObjects) ? diff.largeObjects : null,
      definitions: diff.schema?.changes.map(({ title }) => title) ?? [],
    }
    const lines = describeWritten(written)
    const since = `since the restore at ${formatTime(new Date(record.at))}`
    if (lines.length === 0) terminal.say(`${since}, nothing was written into it\n`)
    else {
      const listed = lines.map((line) => `  ${printable(line)}\n`).join('')
      terminal.say(`${since}, these changed, and will be missing after the undo; the database is kept:\n${listed}`)
    }
    return written
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof AppError)) throw error
    terminal.warn(
      printable(
        `what was written into ${describeTarget(target)} since the restore is unknown (${error.message}); it is kept`,
      ),
    )
    return undefined
  }
}

function describeWritten({ tables, sequences, largeObjects, definitions }: Written): string[] {
  const lines = tables.slice(0, shownTables).map(describeChange)
  if (tables.length > shownTables) lines.push(`and ${tables.length - shownTables} other tables`)
  if (sequences.length > 0) lines.push(`${formatQuantity(sequences.length, 'sequence')} went on`)
  if (largeObjects) {
    const count = (side: { readonly count: number } | null) => formatCount(side?.count ?? 0)
    lines.push(`large objects: ${count(largeObjects.before)} → ${count(largeObjects.after)}, or other contents`)
  }
  if (definitions.length > 0) lines.push(formatQuantity(definitions.length, 'definition'))
  return lines
}

function describeChange({ schema, name, before, after }: TableDiff): string {
  const rows = (digest: { readonly rows: number } | null) => (digest ? formatCount(digest.rows) : 'no')
  const same = before && after && before.rows === after.rows
  return `${schema}.${name}: ${same ? `${rows(after)} rows, with other contents` : `${rows(before)} → ${rows(after)} rows`}`
}
