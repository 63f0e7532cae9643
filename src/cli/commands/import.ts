import { AppError, hasCode, inContext, messageOf } from '../../core/app-error.ts'
import { localFiles } from '../../import/dump-files.ts'
import { type DumpPath, findDumps } from '../../import/find-dumps.ts'
import { type ImportOptions as DumpOptions, type Imported, importDump } from '../../import/import-dump.ts'
import { type Backup, listBackups } from '../../repository/backups/open-backup.ts'
import type { Repository } from '../../repository/repository.ts'
import { proveBackup } from '../../restore/prove-backup.ts'
import { errorDocument } from '../terminal/error-text.ts'
import { formatBytes, formatQuantity, formatTime } from '../../core/text/format.ts'
import { readPassphrase } from '../keys/passphrase.ts'
import { printable } from '../../core/text/printable.ts'
import { openRepositoryOf, openStoreAt } from '../repositories/repository-access.ts'
import { StoredFiles } from '../../import/stored-files.ts'
import { splitPlaceUrl } from '../../store/place-url.ts'
import { parseStorePlace } from '../../store/store-place.ts'
import { z } from 'zod'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { flag, jobs, texts, wholeNumber } from '../option-types.ts'
import { pgDumpChoice, text } from '../../config/value-types.ts'

const importOptions = z.strictObject({
  paths: texts.refine((paths) => paths.length > 0, 'name a dump, or a directory that holds some'),
  database: text.optional(),
  prove: flag,
  trusted: flag,
  iterations: wholeNumber({ min: 1, max: 100_000_000 }).optional(),
  jobs: jobs.optional(),
  pgDump: pgDumpChoice.optional(),
  comment: text.optional(),
})
export type ImportOptions = z.output<typeof importOptions>

async function importDumps(options: ImportOptions, context: CommandContext): Promise<Outcome> {
  const repository = await openRepositoryOf(context)
  const dumps = (await Promise.all(options.paths.map((path) => findIn(path, context)))).flat()
  const { backups } = await listBackups(repository, context)
  const passphrase = askOnce(context)
  const done: Imported[] = []
  const failures: { path: string; error: unknown }[] = []
  for (const dump of dumps) {
    try {
      done.push(await importOne(dump, { repository, backups, passphrase }, options, context))
    } catch (error) {
      context.signal.throwIfAborted()
      if (!dump.named && hasCode(error, 'dump-unknown')) {
        context.terminal.warn(printable(`${dump.path} was left out: ${error.message}`))
        continue
      }
      if (dumps.length === 1) throw inContext(printable(dump.path), error)
      failures.push({ path: dump.path, error })
      context.terminal.warn(printable(`${dump.path}: ${messageOf(error)}`))
    }
  }
  const document = {
    backups: done.map(({ id, record, repeated, warnings }) => ({ id, ...record, repeated, warnings })),
    failed: failures.map(({ path, error }) => ({ path, error: errorDocument(error) })),
  }
  const text = done.map((imported) => describe(imported, options, context)).join('')
  const [first] = failures
  if (!first) return { document, text: text + nextStep(done, options, context) }
  const failure = inContext(
    `${failures.length} of ${done.length + failures.length} dumps failed; ${printable(first.path)}`,
    first.error,
  )
  if (!(failure instanceof AppError)) throw failure
  return { document, text, failure }
}

/** A path of this machine, or the URL of an object or a folder of objects, with the credentials of a repository there. */
async function findIn(text: string, context: CommandContext): Promise<DumpPath[]> {
  const place = parseStorePlace(text, context.currentDirectory)
  if (place.kind === 'directory') return findDumps(place.path, localFiles)
  const { folder, name, options } = splitPlaceUrl(text)
  const store = await openStoreAt(parseStorePlace(`${folder}${options}`, context.currentDirectory), context)
  return findDumps(`${folder}${name}`, await StoredFiles.open(store, { root: folder, name }, context))
}

async function importOne(
  dump: DumpPath,
  run: { readonly repository: Repository; readonly backups: Backup[]; readonly passphrase: DumpOptions['passphrase'] },
  options: ImportOptions,
  context: CommandContext,
): Promise<Imported> {
  const settings = await context.settings()
  const { repository, backups, passphrase } = run
  const { environment, onProgress, signal } = context
  const jobs = options.jobs ?? settings.jobs
  const imported = await importDump(dump, repository, {
    ...options,
    jobs,
    pgDump: options.pgDump ?? settings.pgDump,
    backups,
    passphrase,
    environment,
    onProgress,
    signal,
  })
  if (imported.repeated) return imported
  const { id, record } = imported
  const backup: Backup = { id, record, state: 'committed', committedAt: new Date() }
  backups.push(backup)
  if (!options.prove) return imported
  const proof = await proveBackup(repository, backup, { assertions: [], jobs, environment, onProgress, signal })
  if (proof.outcome === 'proven') return imported
  const [difference] = proof.differences
  const problem = `${difference?.object} ${difference?.problem}`
  throw new AppError('proof-refuted', `it was imported as ${id}, which is refuted: ${problem}`, {
    hint: 'do not rely on it; keep the dump, and report it',
  })
}

/** For all files of a run. */
function askOnce(context: CommandContext): DumpOptions['passphrase'] {
  let asked: Promise<string | undefined> | undefined
  return () =>
    (asked ??= readPassphrase(context, { prompt: 'passphrase of the dump', variable: 'PGREVIVE_DUMP_PASSPHRASE' }))
}

function describe(
  { id, record, repeated, notes, warnings }: Imported,
  { prove }: ImportOptions,
  { terminal }: CommandContext,
): string {
  const { colors } = terminal
  const what = `${printable(record.source)} of ${formatTime(new Date(record.snapshot.at))}`
  if (repeated) return `${colors.faint('already there')} ${what}: ${colors.strong(id)}\n`
  const { totals, added } = record
  return (
    `${colors.good(prove ? 'imported and proven' : 'imported')} ${what} as ${colors.strong(id)} of ${printable(record.database)}: ` +
    `${formatQuantity(totals.tables, 'table')}, ${formatQuantity(totals.rows, 'row')}, ${formatBytes(totals.bytes)}; ` +
    `${formatBytes(added.bytes)} stored\n` +
    notes.map((note) => `  ${colors.warning('note')}: ${printable(note)}\n`).join('') +
    warnings.map((warning) => `  ${colors.warning('warning')}: ${printable(warning)}\n`).join('')
  )
}

function nextStep(done: readonly Imported[], { prove }: ImportOptions, { terminal }: CommandContext): string {
  const last = done.findLast(({ repeated }) => !repeated)
  if (!last || prove || terminal.quiet) return ''
  return `next: pgrevive prove ${last.id}\n`
}

export const importCommand = defineCommand({
  name: 'import',
  summary: 'make backups of what pg_dump wrote',
  description:
    "Makes a backup of every dump: restores it on a throw-away PostgreSQL and backs that up, under the time of the dump, with where it came from and its SHA-256. DUMP is a file, a directory, or the URL of an object or a folder of a store (s3://bucket/folder?…, and so on), with credentials as for repositories. Dumps of pg_dump in all its formats are understood: plain, custom, directory, tar; plain, custom and tar ones also compressed with gzip or zstd, or encrypted by openssl enc -aes-256-cbc. What a file is, its first bytes say and not its name. The time is the stamp in the name (such as 20260131_020000, in this machine's time zone), else the one in the archive, else that of the file. A dump that is empty, cut off or not whole is refused by name, and the others go on. The passphrase of an encrypted one comes from PGREVIVE_DUMP_PASSPHRASE, PGREVIVE_DUMP_PASSPHRASE_FILE, or is asked for. A dump that was imported before is not imported again.",
  arguments: [
    {
      key: 'paths',
      name: 'DUMP',
      presence: 'any number',
      help: 'a file, the directory of an archive, or a directory that holds such; or the URL of one in a store',
    },
  ],
  options: [
    { flags: '--database <NAME>', help: 'the name to list it under (default: that of the database in the dump)' },
    { flags: '--prove', help: 'prove each backup that was made' },
    {
      flags: '--trusted',
      help: 'run the dump as a superuser, which may run any program with the account of the scratch server: only for dumps whose maker may do that',
    },
    { flags: '--iterations <N>', help: 'what openssl enc -iter named (default: 10000)' },
    { flags: '--jobs <N>', help: 'connections that read at the same time (default: cores, at most 4)' },
    { flags: '--pg-dump <WHICH>', help: 'auto, bundled, or the path of a pg_dump (default: auto)' },
    { flags: '--comment <TEXT>', help: 'a remark that show shows' },
  ],
  examples: [
    {
      command: "pgrevive import 's3://BUCKET/dumps/?region=eu-central-1' --repo ./backups",
      meaning: 'all dumps in a folder of a bucket',
    },
    { command: 'pgrevive import --prove /var/backups/shop_20260131_020000.dump.gz', meaning: 'one dump' },
    { command: 'pgrevive import --prove /var/backups', meaning: 'all dumps of a directory' },
    {
      command: 'pgrevive import shop_20260131_020000.dump.gz.enc',
      meaning: 'one that is encrypted; the passphrase comes from PGREVIVE_DUMP_PASSPHRASE_FILE, or is asked for',
    },
  ],
  schema: importOptions,
  keepsLog: true,
  run: importDumps,
})
