import type { AppError } from '../../core/app-error.ts'
import type { Finding } from '../../core/finding.ts'
import { bundledPgDumpVersion } from '../../postgres/pg-dump/bundled-pg-dump.ts'
import { findInstalledPgDumps } from '../../postgres/pg-dump/installed-pg-dump.ts'
import { chooseServerBinaries, findServerBinaries } from '../../postgres/server/server-binaries.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import type { CommandContext } from '../command-context.ts'
import type { RepositorySettings } from '../config/config.ts'
import { type DatabaseTarget, findDatabases } from '../databases/database-target.ts'
import { findWay } from '../databases/reach-database.ts'
import { formatQuantity } from '../terminal/format.ts'
import { expected, openRepositoryAt } from '../repositories/repository-access.ts'
import type { Settings } from '../config/settings.ts'

/** A finding, and the error that it comes from. */
export interface HostFinding extends Finding {
  readonly error?: AppError
}

/** What the settings are; rejects with `config-invalid`, as every command does. */
export function checkSettings({ config, repositories }: Settings): HostFinding[] {
  const named = formatQuantity(repositories.length, 'repository', 'repositories')
  const configured = config === undefined ? '' : `, ${formatQuantity(config.databases.size, 'database')}`
  const file = {
    check: 'pgrevive.yaml',
    answer: config ? 'understood' : 'none',
    meaning: config?.file ?? 'none is needed',
  }
  return [
    { ...file, verdict: 'good' },
    {
      check: 'repositories',
      answer: String(repositories.length),
      verdict: repositories.length > 0 ? 'good' : 'bad',
      meaning:
        repositories.length > 0
          ? `the settings name ${named}${configured}`
          : 'none is named: give --repo, set PGREVIVE_REPO, or write "repository: …" into pgrevive.yaml',
    },
  ]
}

/** Whether the repository can be opened, and what its key is good for. */
export async function checkRepositoryAccess(
  settings: RepositorySettings,
  context: CommandContext,
): Promise<HostFinding[]> {
  try {
    const repository = await openRepositoryAt(settings, context)
    const canRead = await repository.canRead()
    return [
      { check: 'repository', answer: 'opened', verdict: 'good', meaning: repository.store.location },
      {
        check: 'key',
        answer: canRead ? 'reads and writes' : 'writes only',
        verdict: 'good',
        meaning: canRead
          ? 'backups, restores and proofs work here'
          : 'backups work here; restore and prove where the other half of the key is',
      },
    ]
  } catch (error) {
    return [failed('repository', expected(error, context))]
  }
}

/** The programs that are there. */
export async function checkPrograms(context: CommandContext): Promise<HostFinding[]> {
  const { environment, signal } = context
  const dumps = await findInstalledPgDumps({ environment, signal })
  const servers = await findServerBinaries({ environment, signal })
  const newest = await orError(chooseServerBinaries(undefined, { environment, signal }), context)
  return [
    {
      check: 'pg_dump',
      answer: [...dumps.map(({ version }) => version), `${bundledPgDumpVersion} inside`].join(', '),
      verdict: 'good',
      meaning: 'definitions are written by that of the server, or a later one',
    },
    'code' in newest
      ? {
          check: 'PostgreSQL server',
          answer: 'none',
          verdict: 'note',
          meaning: `prove and import need one: ${newest.hint}`,
        }
      : {
          check: 'PostgreSQL server',
          answer: [...new Set(servers.map(({ version }) => version))].join(', '),
          verdict: 'good',
          meaning: 'prove and import restore on scratch servers of these',
        },
  ]
}

/** Whether the databases that `backup` would take can be reached, and proven here. */
export async function checkDatabases({ config }: Settings, context: CommandContext): Promise<HostFinding[]> {
  const databases = await orError(findDatabases([], { config, environment: context.environment }), context)
  if ('code' in databases)
    return [{ check: 'databases', answer: 'none', verdict: 'note', meaning: 'backup needs one to be named' }]
  return Promise.all(
    databases.map(async (database) => {
      const check = database.name ?? "database of libpq's variables"
      const answered = await orError(askServer(database, context), context)
      if ('code' in answered) return failed(check, answered)
      const { version, way } = answered
      const major = Math.floor(version / 10_000)
      const answer = `PostgreSQL ${major}.${version % 10_000}`
      const binaries = await orError(chooseServerBinaries(major, context), context)
      return 'code' in binaries
        ? { check, answer, verdict: 'note' as const, meaning: `${way}it can not be proven here: ${binaries.hint}` }
        : {
            check,
            answer,
            verdict: 'good' as const,
            meaning: `${way}it can be proven with PostgreSQL ${binaries.version}`,
          }
    }),
  )
}

/** `way`: how it is reached, where that may be asked, to stand before other words. */
async function askServer(
  database: DatabaseTarget,
  context: CommandContext,
): Promise<{ readonly version: number; readonly way: string }> {
  const { target, way } = await findWay(database, context)
  await using connection = await Connection.connect(target, context)
  return { version: connection.serverVersionNumber, way: way === undefined ? '' : `${way}; ` }
}

async function orError<Result>(work: Promise<Result>, context: CommandContext): Promise<Result | AppError> {
  try {
    return await work
  } catch (error) {
    return expected(error, context)
  }
}

export function failed(check: string, error: AppError): HostFinding {
  return { check, answer: error.code, verdict: 'bad', meaning: error.message, error }
}
