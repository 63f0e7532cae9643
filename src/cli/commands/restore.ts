import { AppError, hasCode } from '../../core/app-error.ts'
import { type ConnectionTarget, resolveConnection, withDatabase } from '../../postgres/target/connection-target.ts'
import type { Loss } from '../../restore/losses.ts'
import { restoreBackup } from '../../restore/restore-backup.ts'
import { findDatabase, isConninfo } from '../databases/database-target.ts'
import { describeSelection } from '../repositories/describe-backup.ts'
import { formatBytes, formatDuration, formatQuantity } from '../terminal/format.ts'
import { locateBackup } from '../repositories/locate-backup.ts'
import { printable, printableLines } from '../terminal/printable.ts'
import { shellWord } from '../terminal/shell-word.ts'
import { z } from 'zod'
import { backupReference, backupReferenceHelp } from '../repositories/backup-reference.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { flag, flagOn, jobs, notBothOnly, notBothOnlyMessage, text } from '../option-types.ts'
import { choiceFields, choiceOptions, choicesOf } from '../databases/restore-choices.ts'

const restoreOptions = z
  .strictObject({
    backup: backupReference,
    /** A conninfo, the name of a configured database, or a bare name. */
    to: text,
    ...choiceFields,
    createRoles: flag,
    skipDamaged: flag,
    jobs: jobs.optional(),
    analyze: flagOn,
  })
  .refine(notBothOnly, notBothOnlyMessage)
export type RestoreOptions = z.output<typeof restoreOptions>

async function restore(options: RestoreOptions, context: CommandContext): Promise<Outcome> {
  const startedMs = performance.now()
  const { backup, found, others } = await locateBackup(options.backup, context)
  const { repository } = found
  const target = await findTarget(options.to, backup.record.database, context)
  const settings = await context.settings()
  const restoring = restoreBackup(repository, backup, target, {
    choices: choicesOf(options),
    createRoles: options.createRoles,
    skipDamaged: options.skipDamaged,
    jobs: options.jobs ?? settings.jobs,
    analyze: options.analyze,
    onProgress: context.onProgress,
    signal: context.signal,
  })
  const outcome = await restoring.catch((error: unknown) => {
    throw withOthers(error, others)
  })
  const { colors } = context.terminal
  const tookMs = Math.round(performance.now() - startedMs)
  const leftOut = describeSelection(backup.record.selection)
  const partial = leftOut === undefined ? [] : [`this backup does not hold everything; left out were ${leftOut}`]
  const notes = [...partial, ...outcome.notes].map(
    (note) => `  ${colors.warning('note')}: ${printableLines(note, 4)}\n`,
  )
  const { lost } = outcome
  const verdict = lost.length === 0 ? colors.good('restored') : colors.bad('restored in part')
  return {
    document: { backup: backup.id, ...outcome, durationMs: tookMs },
    text:
      `${verdict} ${printable(backup.record.database)} as ${colors.strong(printable(outcome.database))}: ` +
      (options.schemaOnly
        ? 'definitions only'
        : `${formatQuantity(outcome.tables, 'table')}, ${formatQuantity(outcome.rows, 'row')}, ${formatBytes(outcome.bytes)}`) +
      ` in ${formatDuration(tookMs)}\n${describeLosses(lost, context)}${notes.join('')}`,
    ...(lost.length > 0 && {
      failure: new AppError(
        'restore-incomplete',
        `${outcome.database} is not whole: ${lost.map(({ object, problem }) => `${object} ${problem}`).join('; ')}`,
        { hint: 'the comment on the database says so, too; another backup may have what is lost: "pgrevive check"' },
      ),
    }),
  }
}

/** What is damaged here may be whole elsewhere. */
function withOthers(error: unknown, others: readonly string[]): unknown {
  if (others.length === 0 || !hasCode(error, 'object-damaged', 'object-missing')) return error
  const elsewhere = others.map((name) => `--repo ${shellWord(name)}`).join(' or ')
  const hint = `${elsewhere} has this backup, too: restore it from there; then "pgrevive check --repair" and "pgrevive sync"`
  return new AppError(error.code, error.message, { cause: error.cause, hint })
}

/** What is damaged, each with what is lost by it. */
function describeLosses(lost: readonly Loss[], { terminal }: CommandContext): string {
  const lines = [...Map.groupBy(lost, ({ damage }) => damage)].flatMap(([damage, losses]) => {
    const heading = `  ${terminal.colors.bad('lost')}: `
    const objects = losses.map(({ object, problem }) => printable(`${object} ${problem}`))
    if (damage === undefined) return objects.map((object) => heading + object)
    return [heading + printable(damage), ...objects.map((object) => `    ${object}`)]
  })
  return lines.map((line) => `${line}\n`).join('')
}

/**
 * A connection string, or the bare name of a database: on the server of the configured database that the backup is of,
 * else on the one that libpq's variables name.
 */
async function findTarget(to: string, database: string, context: CommandContext): Promise<ConnectionTarget> {
  const { config } = await context.settings()
  const { environment, homeDirectory } = context
  if (isConninfo(to)) return resolveConnection(to, { environment, homeDirectory })
  if (/^postgres(ql)?:|:\/\/|@/.test(to)) {
    throw new AppError('usage-invalid', '--to is neither a connection string nor the name of a database', {
      hint: 'a URL begins with postgres:// or postgresql://',
    })
  }
  if (!config?.databases.has(database)) {
    return withDatabase(await resolveConnection(undefined, { environment, homeDirectory }), to)
  }
  const configured = await findDatabase(database, { config, environment })
  const target = await resolveConnection(configured.conninfo, { environment: configured.environment, homeDirectory })
  return withDatabase(target, to)
}

export const restoreCommand = defineCommand({
  name: 'restore',
  summary: 'bring a database back, or parts of it',
  description:
    'Creates the database that --to names as the backup says (encoding, locale, owner, settings) and fills it. Nothing is ever overwritten: a database that holds objects is refused. It stops at the first error, and what is not complete does not keep the final name.',
  arguments: [{ key: 'backup', name: 'BACKUP', presence: 'required', help: backupReferenceHelp }],
  options: [
    { flags: '--to <URL|NAME>', help: 'the database to create: a URL, a connection string, or a name' },
    ...choiceOptions,
    { flags: '--create-roles', help: 'create roles that do not exist on the target server' },
    {
      flags: '--skip-damaged',
      help: 'leave out what is damaged in the repository: every row that can be read is restored, what is lost is told, and the exit code is 10',
    },
    { flags: '--jobs <N>', help: 'connections that write at the same time (default: cores, at most 4)' },
    { flags: '--no-analyze', help: 'do not collect statistics at the end' },
  ],
  examples: [
    { command: 'pgrevive restore latest:shop --to postgres://localhost/shop_restored', meaning: 'the newest state' },
    {
      command: 'pgrevive restore latest:shop --to postgres://localhost/shop_orders --table public.orders',
      meaning: 'one table into a database of its own',
    },
    {
      command: 'pgrevive restore latest:shop --to postgres://localhost/shop_rescued --skip-damaged',
      meaning: 'as much as a damaged repository still gives',
    },
    {
      command: 'pgrevive restore 01JD8Y --to postgres://admin@hosted.example/shop --no-owner --no-privileges',
      meaning: 'into a hosted server that lacks the roles',
    },
  ],
  schema: restoreOptions,
  readsOnly: true,
  run: restore,
})
