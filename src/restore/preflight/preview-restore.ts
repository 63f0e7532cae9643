import { listSome } from '../../core/text/list-some.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import type { Manifest } from '../../repository/backups/manifest.ts'
import type { Backup } from '../../repository/backups/open-backup.ts'
import type { RestoreChoices, RestorePlan } from '../../repository/backups/restore-plan.ts'
import type { Repository } from '../../repository/repository.ts'
import { connectForMaintenance } from '../maintenance-connection.ts'
import { type SurveyOptions, surveyReplacement } from '../replace/replace-database.ts'
import { describeObject } from '../replace/scene.ts'
import { connectIfThere, nothingToLoadInto, refuseServersOwn } from '../restore-backup.ts'
import { type RestoreJob, openRestoreJob } from '../restore-job.ts'
import { checkRoomForData } from '../target-checks.ts'
import { claimEmptyDatabase } from '../unfinished-mark.ts'
import { type PreflightSubject, preflight } from './preflight.ts'
import { type PreflightFinding, asFinding, good, note } from './preflight-finding.ts'

/** What a restore would do, and what it would find. */
export interface RestorePreview {
  readonly way: PreflightSubject['way']
  readonly manifest: Manifest
  readonly plan: RestorePlan
  readonly findings: readonly PreflightFinding[]
  /** Of `replace`: in one transaction. */
  readonly atOnce: boolean
}

export interface PreviewOptions extends SurveyOptions {
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
  const { jobs } = options
  const job = await openRestoreJob(repository, backup, target, { ...options, analyze: false })
  if (options.way !== 'replace') refuseServersOwn(target)
  await using existing = await connectIfThere(target, options)
  const { way, plan, ...found } = existing ? await checkThere(existing, job, options) : checkAbsent(job, options)
  await using maintenance =
    way === 'new' || way === 'in-place' ? await connectForMaintenance(target, options) : undefined
  if (maintenance) await existing?.[Symbol.asyncDispose]() // it is none of those that use the database
  const connection = maintenance ?? existing
  if (!connection) throw new Error('nothing is connected')
  const findings = [...found.findings, ...(await preflight(connection, { ...job, plan, way, jobs }, options))]
  return { way, manifest: job.manifest, plan, findings, atOnce: found.atOnce }
}

interface FoundDatabase {
  readonly way: PreflightSubject['way']
  readonly plan: RestorePlan
  readonly findings: readonly PreflightFinding[]
  readonly atOnce: boolean
}

const check = 'database'

function checkAbsent({ target, plan }: RestoreJob, { way, choices }: PreviewOptions): FoundDatabase {
  const mustExist = way !== 'new' || choices.content === 'data-only'
  if (mustExist) throw nothingToLoadInto(target)
  return { way: 'new', plan, findings: [good(check, 'not there', 'will be created')], atOnce: false }
}

/** What is wrong with a database that is there, for what is to be done to it. */
async function checkThere(existing: Connection, job: RestoreJob, options: PreviewOptions): Promise<FoundDatabase> {
  const way = options.way === 'new' ? 'empty' : options.way
  const usual = { way, plan: job.plan, atOnce: false } as const
  try {
    if (way === 'replace') return { way, ...(await checkReplacement(existing, job, options)) }
    if (way === 'in-place') return { ...usual, findings: [good(check, 'there', 'stays beside the restored one')] }
    if (options.choices.content === 'data-only') await checkRoomForData(existing, job.plan, options)
    else await claimEmptyDatabase(existing, options)
    return { ...usual, findings: [good(check, 'there', 'has room for what is restored')] }
  } catch (error) {
    return { ...usual, findings: [asFinding(check, 'there', error)] }
  }
}

async function checkReplacement(existing: Connection, opened: RestoreJob, options: PreviewOptions) {
  const { job, scene, unfinished, atOnce } = await surveyReplacement(existing, opened, options)
  const others = scene.stays.filter(({ identity }) => identity !== 'public').map(describeObject)
  const findings = [
    unfinished
      ? note(
          check,
          'unfinished',
          `holds a part of a backup, and before that what is in backup ${unfinished.safetyBackup}`,
        )
      : good(check, 'there', `${scene.drops.length} objects in it give way`),
    ...(others.length > 0 ? [note('of others', String(others.length), `stays: ${listSome(others)}`)] : []),
  ]
  return { plan: job.plan, findings, atOnce }
}
