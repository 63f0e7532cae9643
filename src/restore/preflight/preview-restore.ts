import type { Connection } from '../../postgres/wire/connection.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import type { Manifest } from '../../repository/backups/manifest.ts'
import { type Backup, readGlobals, readManifest } from '../../repository/backups/open-backup.ts'
import type { RestoreChoices, RestorePlan } from '../../repository/backups/restore-plan.ts'
import type { Repository } from '../../repository/repository.ts'
import { connectForMaintenance } from '../maintenance-connection.ts'
import { readPlan } from '../read-plan.ts'
import { connectIfThere, nothingToLoadInto, refuseServersOwn } from '../restore-backup.ts'
import { checkRoomForData } from '../target-checks.ts'
import { claimEmptyDatabase } from '../unfinished-mark.ts'
import { type PreflightSubject, preflight } from './preflight.ts'
import { type PreflightFinding, asFinding, good } from './preflight-finding.ts'

/** What a restore would do, and what it would find. */
export interface RestorePreview {
  readonly way: PreflightSubject['way']
  readonly manifest: Manifest
  readonly plan: RestorePlan
  readonly findings: readonly PreflightFinding[]
}

export interface PreviewOptions {
  readonly way: 'new' | 'in-place' | 'replace'
  readonly choices: RestoreChoices
  readonly createRoles: boolean
  readonly jobs: number
  readonly signal?: AbortSignal | undefined
}

/** Looks at everything that a restore would look at before it begins, and changes nothing. */
export async function previewRestore(
  repository: Repository,
  backup: Backup,
  target: ConnectionTarget,
  options: PreviewOptions,
): Promise<RestorePreview> {
  const reader = await repository.openReader(options)
  const manifest = await readManifest(reader, backup, options)
  const plan = await readPlan(reader, manifest, options.choices, { ...options, losses: undefined })
  const globals = options.createRoles ? await readGlobals(reader, manifest, options) : undefined
  const subject = { manifest, plan, target, globals, jobs: options.jobs }
  if (options.way !== 'replace') refuseServersOwn(target)
  await using existing = await connectIfThere(target, options)
  const found = existing
    ? await checkThere(existing, subject, options)
    : { way: 'new' as const, findings: [checkAbsent(target, options)] }
  await using maintenance =
    found.way === 'new' || found.way === 'in-place' ? await connectForMaintenance(target, options) : undefined
  const connection = maintenance ?? existing
  if (!connection) throw new Error('nothing is connected')
  const findings = [...found.findings, ...(await preflight(connection, { ...subject, way: found.way }, options))]
  return { way: found.way, manifest, plan, findings }
}

function checkAbsent(target: ConnectionTarget, { way, choices }: PreviewOptions): PreflightFinding {
  const mustExist = way !== 'new' || choices.content === 'data-only'
  if (mustExist) throw nothingToLoadInto(target)
  return good('database', 'not there', 'will be created')
}

/** What is wrong with a database that is there, for what is to be done to it. */
async function checkThere(
  existing: Connection,
  { plan }: Pick<PreflightSubject, 'plan'>,
  options: PreviewOptions,
): Promise<{ way: PreflightSubject['way']; findings: PreflightFinding[] }> {
  const check = 'database'
  if (options.way !== 'new') {
    const meaning = { 'in-place': 'stays beside the restored one', replace: 'what is in it gives way' }[options.way]
    return { way: options.way, findings: [good(check, 'there', meaning)] }
  }
  try {
    if (options.choices.content === 'data-only') await checkRoomForData(existing, plan, options)
    else await claimEmptyDatabase(existing, options)
    return { way: 'empty', findings: [good(check, 'there', 'has room for what is restored')] }
  } catch (error) {
    return { way: 'empty', findings: [asFinding(check, 'there', error)] }
  }
}
