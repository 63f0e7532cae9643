import { setTimeout as sleep } from 'node:timers/promises'
import { AppError } from '../../core/app-error.ts'
import { type ConnectionTarget, describeTarget } from '../../postgres/target/connection-target.ts'
import type { Proof } from '../../repository/backups/backup-record.ts'
import { type Backup, listBackups } from '../../repository/backups/open-backup.ts'
import { proveBackup } from '../../restore/prove-backup.ts'
import { remedyFor } from '../../restore/refutation.ts'
import { findDatabase } from '../databases/database-target.ts'
import { reachDatabase } from '../databases/reach-database.ts'
import { findBackup } from '../repositories/find-backup.ts'
import { findHere } from '../repositories/locate-backup.ts'
import { formatBytes, formatDuration, formatQuantity } from '../../core/text/format.ts'
import { printable, printableLines } from '../../core/text/printable.ts'
import { openRepositoryOf } from '../repositories/repository-access.ts'
import { z } from 'zod'
import { backupReference, backupReferenceHelp } from '../repositories/backup-reference.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { flag, jobs } from '../option-types.ts'
import { text } from '../../config/value-types.ts'

const proveOptions = z
  .strictObject({
    backups: z.array(backupReference).default([]),
    database: text.optional(),
    on: text.optional(),
    jobs: jobs.optional(),
    keep: flag,
  })
  .refine(
    ({ backups, database }) => backups.length === 0 || database === undefined,
    'BACKUP and --database exclude each other',
  )
export type ProveOptions = z.output<typeof proveOptions>

async function prove(options: ProveOptions, context: CommandContext): Promise<Outcome> {
  const repository = await openRepositoryOf(context)
  const backups = await listBackups(repository, context)
  const { config, jobs } = await context.settings()
  const { environment } = context
  const on = options.on === undefined ? undefined : await reachServer(options.on, context)
  const proofs: { database: string; proof: Proof }[] = []
  for (const backup of await chooseBackups(backups, options, context)) {
    const { database } = backup.record
    const configured = config?.databases.has(database)
      ? await findDatabase(database, { config, environment })
      : undefined
    const proof = await proveBackup(repository, backup, {
      on,
      assertions: configured?.assertions ?? [],
      jobs: options.jobs ?? jobs,
      environment,
      onProgress: context.onProgress,
      signal: context.signal,
      ...(options.keep ? { onProven: (target) => keepUntilStopped(target, context) } : {}),
    })
    proofs.push({ database, proof })
  }
  const document = { proofs }
  const text = proofs.map(({ database, proof }) => describe(proof, database, context)).join('')
  const refuted = proofs.find(({ proof }) => proof.outcome === 'refuted')
  if (!refuted) return { document, text }
  const [first] = refuted.proof.differences
  const failure = new AppError(
    'proof-refuted',
    `backup ${refuted.proof.backup} is refuted: ${first ? `${first.object} ${first.problem}` : 'it differs'}`,
    { hint: remedyFor(refuted.proof.differences) },
  )
  return { document, text, failure }
}

/** By a connection string, or the name of a database of pgrevive.yaml on it. */
async function reachServer(on: string, context: CommandContext): Promise<ConnectionTarget> {
  const { config } = await context.settings()
  const { environment } = context
  const named = config?.databases.has(on) ? await findDatabase(on, { config, environment }) : undefined
  return reachDatabase(named ?? { conninfo: on, environment }, context)
}

/** Those that are named, or the newest of every database: of those of pgrevive.yaml, if it names some. */
async function chooseBackups(
  listed: Awaited<ReturnType<typeof listBackups>>,
  { backups, database }: ProveOptions,
  context: CommandContext,
): Promise<Backup[]> {
  const named = database === undefined ? backups : [{ kind: 'latest', database } as const]
  if (named.length > 0) return Promise.all(named.map((reference) => findHere(listed, reference, context)))
  const { config } = await context.settings()
  const databases = new Set(listed.backups.map(({ record }) => record.database))
  const configured = [...databases].filter((name) => config?.databases.has(name))
  const chosen = configured.length > 0 ? configured : [...databases]
  if (chosen.length === 0) return [findBackup(listed, { kind: 'latest', database: undefined })]
  return chosen.map((name) => findBackup(listed, { kind: 'latest', database: name }))
}

/** The scratch server lives as long as this process. */
async function keepUntilStopped(target: ConnectionTarget, { terminal, signal }: CommandContext): Promise<void> {
  const [host] = target.hosts
  const password = host && target.password(host)
  terminal.printError(
    `the scratch database is kept until Ctrl-C: ${printable(describeTarget(target))}\n` +
      (password === undefined ? '' : `its password, for this run only: ${printable(password)}\n`),
  )
  while (!signal.aborted) await sleep(1000, undefined, { signal }).catch(() => undefined) // the signal is what ends it
}

function describe(proof: Proof, database: string, { terminal }: CommandContext): string {
  const { colors } = terminal
  const { compared } = proof
  const tookMs = Date.parse(proof.finishedAt) - Date.parse(proof.startedAt)
  const verdict = proof.outcome === 'proven' ? colors.good('proven') : colors.bad('refuted')
  const parts = [
    formatQuantity(compared.tables, 'table'),
    formatQuantity(compared.rows, 'row'),
    formatBytes(compared.bytes),
    formatQuantity(compared.sequences, 'sequence'),
    formatQuantity(compared.largeObjects, 'large object'),
    formatQuantity(compared.extensions, 'extension'),
    ...(compared.schema ? ['the schema'] : []),
    ...(compared.assertions > 0 ? [formatQuantity(compared.assertions, 'assertion')] : []),
  ]
  return (
    `${verdict} ${printable(database)} ${colors.strong(proof.backup)} in ${formatDuration(tookMs)} on ${printable(proof.on)}\n` +
    `  compared: ${parts.join(', ')}\n` +
    proof.differences
      .map(({ object, problem }) => `  ${colors.bad('differs')}: ${printableLines(`${object} ${problem}`, 4)}\n`)
      .join('') +
    proof.notes.map((note) => `  ${colors.warning('note')}: ${printableLines(note, 4)}\n`).join('')
  )
}

export const proveCommand = defineCommand({
  name: 'prove',
  summary: 'restore a backup into a scratch server and compare everything',
  description:
    'Restores a backup into a throw-away PostgreSQL of a fitting version, reads every table back, and compares rows, content hashes, sequences, large objects, extensions and definitions with what was backed up; then runs the assertions of pgrevive.yaml. The outcome is stored in the repository: list shows it. A backup that differs is refuted, with exit code 7.',
  arguments: [
    {
      key: 'backups',
      name: 'BACKUP',
      presence: 'any number',
      help: `${backupReferenceHelp} (default: the newest of every database)`,
    },
  ],
  options: [
    { flags: '--database <NAME>', help: 'the latest backup of this database' },
    {
      flags: '--on <URL|NAME>',
      help: 'a scratch database on this server, or on that of a database of pgrevive.yaml, instead of a scratch server',
    },
    { flags: '--jobs <N>', help: 'connections that work at the same time (default: cores, at most 4)' },
    { flags: '--keep', help: 'leave the scratch database running, and say where' },
  ],
  examples: [
    { command: 'pgrevive prove', meaning: 'the newest backup of every database' },
    { command: 'pgrevive prove --database shop', meaning: 'the newest backup of a database' },
    { command: 'pgrevive prove latest --on postgres://postgres@staging.internal', meaning: 'on a server of yours' },
  ],
  schema: proveOptions,
  keepsLog: true,
  onEach: true,
  run: prove,
})
