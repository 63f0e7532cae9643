import { bundledPgDumpVersion } from '../../postgres/pg-dump/bundled-pg-dump.ts'
import { findInstalledPgDumps } from '../../postgres/pg-dump/installed-pg-dump.ts'
import { chooseServerBinaries, findServerBinaries } from '../../postgres/server/server-binaries.ts'
import type { CommandContext } from '../command-context.ts'
import type { Settings } from '../settings/settings.ts'
import { formatQuantity } from '../../core/text/format.ts'
import { type HostFinding, orError } from './host-finding.ts'

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
      ...(repositories.length === 0 && { remedy: 'pgrevive init --repo DIRECTORY' }),
    },
  ]
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
