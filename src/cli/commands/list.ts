import { AppError } from '../../core/app-error.ts'
import type { Proof } from '../../repository/backups/backup-record.ts'
import { type Backup, listProofs, momentOf } from '../../repository/backups/open-backup.ts'
import { type Pin, type SavedRound, lastCheckOf, listNotes } from '../../repository/retention/backup-notes.ts'
import type { Palette } from '../terminal/color.ts'
import { describeRound } from '../repositories/check-round.ts'
import { failureOf } from '../repositories/each-repository.ts'
import { errorDocument } from '../terminal/error-text.ts'
import { printable } from '../../core/text/printable.ts'
import { describeSelection } from '../../repository/backups/manifest-selection.ts'
import { describeProof } from '../repositories/describe-backup.ts'
import { formatAge, formatBytes, formatCount, formatQuantity, formatTable } from '../../core/text/format.ts'
import { type ListedRepository, listAll } from '../repositories/locate-backup.ts'
import { repositorySizes } from '../../repository/repository-sizes.ts'
import { listDatabases } from '../databases/list-databases.ts'
import { z } from 'zod'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { flag, wholeNumber } from '../option-types.ts'
import { text } from '../../config/value-types.ts'

const listOptions = z.strictObject({
  database: text.optional(),
  limit: wholeNumber({ min: 1, max: 1_000_000 }).optional(),
  sizes: flag,
  databases: flag,
})
export type ListOptions = z.output<typeof listOptions>

/** A backup as one repository holds it. */
interface Copy {
  /** What a person calls the repository. */
  readonly repository: string
  readonly backup: Backup
  readonly proof: Proof | undefined
  readonly pin: Pin | undefined
  readonly checked: ReturnType<typeof lastCheckOf>
}

async function list(options: ListOptions, context: CommandContext): Promise<Outcome> {
  if (options.databases) return listDatabases(context)
  const { listed, failed } = await listAll(context)
  const { terminal } = context
  for (const { name, error } of failed) terminal.warn(printable(`${name} can not be listed: ${error.message}`))
  for (const { name, damaged } of listed) {
    const where = listed.length > 1 ? ` in ${printable(name)}` : ''
    for (const id of damaged) terminal.warn(`the record of backup ${id}${where} is damaged; run "pgrevive check"`)
  }
  const statements = await Promise.all(listed.map((one) => statementsIn(one, context)))
  const copies = statements.flatMap(({ copies: some }) => some)
  const rounds = statements.flatMap(({ rounds: some }) => some)
  const backups = [...Map.groupBy(copies, ({ backup }) => backup.id).values()]
    .filter(([first]) => options.database === undefined || first?.backup.record.database === options.database)
    .toSorted((a, b) => momentOfCopies(b) - momentOfCopies(a))
    .slice(0, options.limit)
  if (options.database !== undefined && backups.length === 0 && copies.length > 0) {
    throw new AppError('selection-empty', `the repository holds no backup of "${printable(options.database)}"`, {
      hint: '"pgrevive list" shows all',
    })
  }
  const sizes = options.sizes ? await Promise.all(listed.map((one) => sizesOf(one, context))) : undefined
  const isOne = listed.length + failed.length === 1 && !sizes
  const outcome = {
    document: {
      backups: backups.map((held) => documentOf(held, isOne)),
      damaged: listed.flatMap(({ damaged }) => damaged),
      ...(sizes && { repositories: sizes }),
      ...(rounds.length > 0 && { rounds }),
      ...(isOne
        ? {}
        : { failed: failed.map(({ name, error }) => ({ repository: name, error: errorDocument(error) })) }),
    },
    text:
      backups.length === 0
        ? 'no backups yet\nnext: pgrevive backup postgres://user@host/database\n'
        : tableOf(backups, isOne, context) +
          (sizes ?? []).map(describeSizes).join('') +
          rounds.map((round) => lineOf(round, isOne)).join(''),
  }
  return failed.length === 0 ? outcome : { ...outcome, failure: failureOf(failed, listed.length + failed.length) }
}

/** What a repository holds and takes, and when all of it was checked last. */
async function sizesOf({ name, repository, backups }: ListedRepository, context: CommandContext) {
  const { stored, packed, unique } = await repositorySizes(repository, context)
  const { checks } = await listNotes(repository, context)
  const [last] = checks.toSorted((a, b) => +b.startedAt - +a.startedAt)
  return {
    repository: name,
    backups: backups.length,
    bytes: backups.reduce((sum, { record }) => sum + record.totals.bytes, 0),
    unique,
    packed,
    stored,
    checked: last ? { level: last.level, at: last.startedAt, isWhole: last.damaged.length === 0 } : null,
  }
}

function describeSizes({ repository, backups, bytes, stored }: Awaited<ReturnType<typeof sizesOf>>): string {
  return `${printable(repository)}: ${formatQuantity(backups, 'backup')} of ${formatBytes(bytes)} in ${formatBytes(stored)}\n`
}

/** A round of checks that goes on. */
interface Round extends Pick<SavedRound, 'level' | 'startedAt' | 'doneBytes' | 'totalBytes'> {
  readonly repository: string
}

async function statementsIn(
  { name, repository, backups }: ListedRepository,
  context: CommandContext,
): Promise<{ readonly copies: readonly Copy[]; readonly rounds: readonly Round[] }> {
  const proofs = await listProofs(repository, context)
  const { pins, checks, rounds } = await listNotes(repository, context)
  const copies = backups.map((backup) => ({
    repository: name,
    backup,
    proof: proofs.get(backup.id),
    pin: pins.get(backup.id),
    checked: lastCheckOf(backup, checks),
  }))
  const going = rounds.map(({ level, startedAt, doneBytes, totalBytes }) => ({
    repository: name,
    level,
    startedAt,
    doneBytes,
    totalBytes,
  }))
  return { copies, rounds: going }
}

function lineOf(round: Round, isOne: boolean): string {
  const where = isOne ? '' : `${printable(round.repository)}: `
  return `${where}checks by parts: ${describeRound(round, new Date())} (${round.level})\n`
}

function momentOfCopies([first]: readonly Copy[]): number {
  return first ? momentOf(first.backup) : 0
}

function documentOf(copies: readonly Copy[], isOne: boolean) {
  const [first] = copies
  if (!first) throw new Error('a backup lies nowhere')
  return {
    id: first.backup.id,
    ...first.backup.record,
    ...(isOne ? statementsOn(first) : { repositories: copies.map(placeOf) }),
  }
}

function statementsOn({ proof, pin, checked }: Copy) {
  const check = checked && { level: checked.check.level, at: checked.check.startedAt, isWhole: checked.isWhole }
  return { proof: proof ?? null, pin: pin ?? null, checked: check ?? null }
}

function placeOf(copy: Copy) {
  const { committedAt, record } = copy.backup
  const { added, copied = null } = record
  return { repository: copy.repository, committedAt, added, copied, ...statementsOn(copy) }
}

function tableOf(backups: readonly (readonly Copy[])[], isOne: boolean, { terminal }: CommandContext): string {
  const now = new Date()
  const { colors } = terminal
  const columns = [
    { title: 'backup', style: colors.strong },
    { title: 'taken' },
    { title: 'database' },
    { title: 'tables', align: 'right' },
    { title: 'rows', align: 'right' },
    { title: 'size', align: 'right' },
    { title: 'stored', align: 'right' },
    { title: 'proof', style: (text: string) => proofStyleOf(text, colors)(text) },
    { title: 'in' },
    { title: 'checked', style: (text: string) => (text.includes('damaged') ? colors.bad(text) : text) },
    { title: 'pinned' },
    { title: 'left out', style: colors.warning },
  ] as const
  const rows = backups.flatMap((copies) =>
    copies.map(({ repository, backup, proof, pin, checked }, index) => {
      const { id, record } = backup
      const facts =
        index > 0
          ? ['', '', '', '', '', '']
          : [
              id,
              formatAge(new Date(record.finishedAt), now),
              record.database,
              formatCount(record.totals.tables),
              formatCount(record.totals.rows),
              formatBytes(record.totals.bytes),
            ]
      return [
        ...facts,
        formatBytes(record.added.bytes),
        describeProof(proof, now),
        isOne ? '' : repository,
        checked ? describeCheck(checked, now) : '',
        pin?.reason ?? '',
        index > 0 ? '' : (describeSelection(record.selection) ?? ''),
      ]
    }),
  )
  const isFilled = columns.map((_, index) => index < 8 || rows.some((row) => row[index] !== ''))
  const filled = <Cell>(cells: readonly Cell[]) => cells.filter((_, index) => isFilled[index])
  return formatTable(filled(columns), rows.map(filled), { heading: colors.faint, width: terminal.outputWidth })
}

function proofStyleOf(text: string, colors: Palette): (text: string) => string {
  if (text.startsWith('proven')) return colors.good
  return text.startsWith('refuted') ? colors.bad : colors.faint
}

function describeCheck({ check, isWhole }: NonNullable<Copy['checked']>, now: Date): string {
  return `${isWhole ? '' : 'damaged, '}${formatAge(check.startedAt, now)} (${check.level})`
}

export const listCommand = defineCommand({
  name: 'list',
  summary: 'list the backups, and which of them are proven',
  description:
    'Lists the backups, the newest first: when, of which database, how large, what was left out, and whether it is unproven, proven (when, how long it took) or refuted (why), or pinned, and when it was last checked, at which level. Where several repositories are named, a line for each that holds the backup.',
  arguments: [],
  options: [
    { flags: '--database <NAME>', help: 'only backups of the database of this name' },
    { flags: '--limit <N>', help: 'only the newest N' },
    { flags: '--sizes', help: 'also what each repository holds, and what it takes' },
    {
      flags: '--databases',
      help: 'in place of backups the databases that "backup" backs up: those of pgrevive.yaml, and those that its servers have',
    },
  ],
  examples: [
    { command: 'pgrevive list --repo ./backups', meaning: 'every backup' },
    {
      command: 'pgrevive list --database shop --limit 1 --json',
      meaning: 'the newest one of a database, for a script',
    },
  ],
  schema: listOptions,
  readsOnly: true,
  run: list,
})
