import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { formatCount, formatQuantity, formatTable } from '../../core/text/format.ts'
import { printable, printableLines } from '../../core/text/printable.ts'
import { truncateText } from '../../core/text/text-width.ts'
import { text } from '../../config/value-types.ts'
import { type FoundRows, findRows } from '../../restore/rows/find-rows.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { qualifiedName, sqlName, wholeNumber } from '../option-types.ts'
import { backupReference, backupReferenceHelp } from '../repositories/backup-reference.ts'
import { locateBackup, withOthers } from '../repositories/locate-backup.ts'

/** All of them are in memory at once. */
const mostRows = 1000

const rowsOptions = z
  .strictObject({
    backup: backupReference,
    table: qualifiedName,
    search: text.optional(),
    column: sqlName.optional(),
    limit: wholeNumber({ min: 1, max: mostRows }).default(20),
    offset: wholeNumber({ min: 0, max: 1e12 }).default(0),
  })
  .refine(({ search, column }) => column === undefined || search !== undefined, '--column needs --search')
export type RowsOptions = z.output<typeof rowsOptions>

async function rows({ backup: reference, ...options }: RowsOptions, context: CommandContext): Promise<Outcome> {
  const { backup, found: located, others } = await locateBackup(reference, context)
  const { onProgress, signal } = context
  const wanted = { ...options, search: options.search, column: options.column, onProgress, signal }
  const found = await findRows(located.repository, backup, wanted).catch((error: unknown) => {
    throw withOthers(error, others)
  })
  const { table, columns, rows: list, searched, more, notes, damages } = found
  const outcome = {
    document: { backup: backup.id, table, columns, rows: list, searched, more, notes },
    text: describe(found, context),
  }
  const [damage] = damages.map((error) => withOthers(error, others))
  return damage instanceof AppError ? { ...outcome, failure: damage } : outcome
}

const shownValue = 60

function describe(
  { table, columns, rows: list, searched, more, notes }: FoundRows,
  { terminal }: CommandContext,
): string {
  const { colors, outputWidth } = terminal
  const name = colors.strong(printable(`${table.schema}.${table.name}`))
  const lines = notes.map((note) => `${colors.warning('note')}: ${printableLines(note, 2)}\n`).join('')
  const told = `${name}: ${formatQuantity(list.length, 'row')}, of ${formatCount(searched)} read${more ? '; there are more' : ''}\n`
  if (list.length === 0) return `${told}${lines}`
  const cells = list.map((row) => row.map(show))
  const titles = columns.map((title) => ({ title: printable(title) }))
  return `${told}${formatTable(titles, cells, { heading: colors.faint, width: outputWidth })}${lines}`
}

function show(value: string | null): string {
  return value === null ? 'NULL' : value === '' ? "''" : truncateText(value.slice(0, 2 * shownValue), shownValue)
}

export const rowsCommand = defineCommand({
  name: 'rows',
  summary: 'look at rows of a table in a backup',
  description:
    'Shows rows of one table as a backup holds them, read from the repository alone: nothing is restored, and no more is fetched than is needed to find so many rows. They come in the order of the backup. With --search only rows of which a value holds the text, in upper or lower case; NULL holds none. Of a value of more than 1,000 characters --json has these and "…" behind them; all of it is searched.',
  arguments: [
    { key: 'backup', name: 'BACKUP', presence: 'required', help: backupReferenceHelp },
    {
      key: 'table',
      name: 'TABLE',
      presence: 'required',
      help: 'NAME or SCHEMA.NAME as in SQL; of a partitioned one, the rows of its partitions',
    },
  ],
  options: [
    { flags: '--search <TEXT>', help: 'only rows of which a value holds this text, in upper or lower case' },
    { flags: '--column <NAME>', help: 'search in this column only' },
    { flags: '--limit <N>', help: `so many rows, ${formatCount(mostRows)} at most (default: 20)` },
    { flags: '--offset <N>', help: 'pass over so many rows first' },
  ],
  examples: [
    { command: 'pgrevive rows latest:shop orders', meaning: 'what a table of the newest backup looks like' },
    {
      command: 'pgrevive rows 01JD8Y public.customers --search @example.com --column email',
      meaning: 'which customers a backup has',
    },
  ],
  schema: rowsOptions,
  readsOnly: true,
  run: rows,
})
