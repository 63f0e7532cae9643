import { listNotes } from '../../repository/retention/backup-notes.ts'
import { listBackups, listProofs } from '../../repository/backups/open-backup.ts'
import { AppError } from '../../core/app-error.ts'
import { printable } from '../printable.ts'
import { describeProof, describeSelection } from '../describe-backup.ts'
import { formatAge, formatBytes, formatCount, formatTable } from '../format.ts'
import { openRepositoryOf } from '../repository-access.ts'
import { z } from 'zod'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { text, wholeNumber } from '../option-types.ts'

const listOptions = z.strictObject({
  database: text.optional(),
  limit: wholeNumber({ min: 1, max: 1_000_000 }).optional(),
})
export type ListOptions = z.output<typeof listOptions>

async function list(options: ListOptions, context: CommandContext): Promise<Outcome> {
  const repository = await openRepositoryOf(context)
  const { backups, damaged } = await listBackups(repository, context)
  const proofs = await listProofs(repository, context)
  const { pins } = await listNotes(repository, context)
  const shown = backups
    .filter(({ record }) => options.database === undefined || record.database === options.database)
    .toReversed()
    .slice(0, options.limit)
  if (options.database !== undefined && shown.length === 0 && backups.length > 0) {
    throw new AppError('selection-empty', `the repository holds no backup of "${printable(options.database)}"`, {
      hint: '"pgrevive list" shows all',
    })
  }
  const now = new Date()
  const { colors } = context.terminal
  for (const id of damaged) context.terminal.warn(`the record of backup ${id} is damaged; run "pgrevive check"`)
  const columns = [
    { title: 'backup', style: colors.strong },
    { title: 'taken' },
    { title: 'database' },
    { title: 'tables', align: 'right' },
    { title: 'rows', align: 'right' },
    { title: 'size', align: 'right' },
    { title: 'stored', align: 'right' },
    {
      title: 'proof',
      style: (text: string) =>
        text.startsWith('proven')
          ? colors.good(text)
          : text.startsWith('refuted')
            ? colors.bad(text)
            : colors.faint(text),
    },
    { title: 'pinned' },
    { title: 'left out', style: colors.warning },
  ] as const
  const rows = shown.map(({ id, record }) => [
    id,
    formatAge(new Date(record.finishedAt), now),
    record.database,
    formatCount(record.totals.tables),
    formatCount(record.totals.rows),
    formatBytes(record.totals.bytes),
    formatBytes(record.added.bytes),
    describeProof(proofs.get(id), now),
    pins.get(id)?.reason ?? '',
    describeSelection(record.selection) ?? '',
  ])
  const isFilled = columns.map((_, index) => index < columns.length - 2 || rows.some((row) => row[index] !== ''))
  const filled = <Cell>(cells: readonly Cell[]) => cells.filter((_, index) => isFilled[index])
  return {
    document: {
      backups: shown.map(({ id, record }) => ({
        id,
        ...record,
        proof: proofs.get(id) ?? null,
        pin: pins.get(id) ?? null,
      })),
      damaged,
    },
    text:
      shown.length === 0
        ? 'no backups yet\nnext: pgrevive backup postgres://user@host/database\n'
        : formatTable(filled(columns), rows.map(filled), {
            heading: colors.faint,
            width: context.terminal.outputWidth,
          }),
  }
}

export const listCommand = defineCommand({
  name: 'list',
  summary: 'list the backups, and which of them are proven',
  description:
    'Lists the backups of the repository, the newest first: when, of which database, how large, what was left out, and whether it is unproven, proven (when, how long it took) or refuted (why), or pinned.',
  arguments: [],
  options: [
    { flags: '--database <NAME>', help: 'only backups of the database of this name' },
    { flags: '--limit <N>', help: 'only the newest N' },
  ],
  examples: [
    { command: 'pgrevive list --repo ./backups', meaning: 'every backup' },
    {
      command: 'pgrevive list --database shop --limit 1 --json',
      meaning: 'the newest one of a database, for a script',
    },
  ],
  schema: listOptions,
  run: list,
})
