import { AppError } from '../../core/app-error.ts'
import { type Backup, listBackups, momentOf } from '../../repository/backups/open-backup.ts'
import { restoreEverything } from '../../repository/backups/restore-plan.ts'
import type { Repository } from '../../repository/repository.ts'
import { previewRestore } from '../../restore/preflight/preview-restore.ts'
import type { CommandContext } from '../command-context.ts'
import { findDatabase } from '../databases/database-target.ts'
import { findWay } from '../databases/reach-database.ts'
import { type HostFinding, orError } from './host-finding.ts'

/**
 * Whether the newest backup of each configured database could be restored on the server that it is of: what preflight
 * says. Nothing of it makes backups unsafe. A server that can not be reached is told of elsewhere.
 */
export async function checkRestore(repository: Repository, context: CommandContext): Promise<HostFinding[]> {
  const { config } = await context.settings()
  const listed = await orError(listBackups(repository, context), context)
  if (listed instanceof AppError || !config) return []
  const findings: HostFinding[] = []
  for (const name of config.databases.keys()) {
    const [backup] = listed.backups
      .filter(({ record }) => record.database === name)
      .toSorted((one, other) => momentOf(other) - momentOf(one))
    if (backup) findings.push(...(await checkOne(name, backup, repository, context)))
  }
  return findings
}

async function checkOne(
  name: string,
  backup: Backup,
  repository: Repository,
  context: CommandContext,
): Promise<HostFinding[]> {
  const check = `${name}: restore here`
  const preview = await orError(preflightOf(name, backup, repository, context), context)
  if (preview instanceof AppError) {
    if (preview.code.startsWith('connection') || preview.code === 'authentication-failed') return []
    const { code, message, hint } = preview
    return [{ check, answer: code, verdict: 'note', meaning: message, remedy: hint }]
  }
  const problems = preview.findings.filter(({ verdict }) => verdict === 'bad')
  if (problems.length === 0) {
    return [{ check, answer: 'possible', verdict: 'good', meaning: 'roles, extensions and room are there' }]
  }
  return problems.map(({ answer, meaning, error }) => ({
    check,
    answer,
    verdict: 'note',
    meaning,
    remedy: error?.hint,
  }))
}

async function preflightOf(name: string, backup: Backup, repository: Repository, context: CommandContext) {
  const { config, jobs } = await context.settings()
  const database = await findDatabase(name, { config, environment: context.environment })
  const { target } = await findWay(database, context)
  return previewRestore(repository, backup, target, {
    way: 'in-place',
    choices: restoreEverything,
    createRoles: false,
    jobs,
    signal: context.signal,
  })
}
