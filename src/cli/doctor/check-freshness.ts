import { AppError } from '../../core/app-error.ts'
import { listBackups, listProofs, momentOf } from '../../repository/backups/open-backup.ts'
import type { Repository } from '../../repository/repository.ts'
import type { CommandContext } from '../command-context.ts'
import type { RepositorySettings } from '../../config/config.ts'
import type { ConfiguredObjectives } from '../../config/config-objectives.ts'
import { formatAge } from '../../core/text/format.ts'
import { shellWord } from '../../core/text/shell-word.ts'
import { type HostFinding, failed, orError } from './host-finding.ts'

/** Where nobody has written how new backups are to be, this much too old is no note any more. */
const stoppedAfterMs = 8 * 24 * 3600 * 1000
/** A backup that takes longer than the one before is no news. */
const grace = 1.1

/** The age of the newest backup, and of the newest proof, of each configured database. */
export async function checkFreshness(
  repository: Repository,
  { name: place }: RepositorySettings,
  context: CommandContext,
): Promise<HostFinding[]> {
  const { config, repositories } = await context.settings()
  if (!config || config.databases.size === 0) return []
  const read = await orError(Promise.all([listBackups(repository, context), listProofs(repository, context)]), context)
  if (read instanceof AppError) return [failed('backups', read)]
  const [{ backups }, proofs] = read
  const now = new Date()
  const option = repositories.length > 1 ? ` --repo ${shellWord(place)}` : ''
  return Array.from(config.databases.values()).flatMap(({ name: database, objectives }) => {
    const own = backups.filter(({ record }) => record.database === database)
    const proven = own.flatMap(({ id }) => {
      const proof = proofs.get(id)
      return proof?.outcome === 'proven' ? [Date.parse(proof.finishedAt)] : []
    })
    return [
      judgeBackup(database, newest(own.map(momentOf)), { now, objectives, isNew: backups.length === 0, option }),
      ...(own.length === 0 ? [] : [judgeProof(database, newest(proven), { now, objectives, option })]),
    ]
  })
}

function newest(times: readonly number[]): Date | undefined {
  return times.length === 0 ? undefined : new Date(Math.max(...times))
}

interface Expectation {
  readonly now: Date
  readonly objectives: ConfiguredObjectives
  readonly option: string
}

/** `isNew`: the repository holds nothing yet. */
function judgeBackup(
  database: string,
  at: Date | undefined,
  { now, objectives, isNew, option }: Expectation & { readonly isNew: boolean },
): HostFinding {
  const check = `${database}: newest backup`
  const remedy = `pgrevive backup ${shellWord(database)}${option}   # look why it did not run: crontab -l; systemctl list-timers`
  if (!at) {
    return { check, answer: 'none', verdict: isNew ? 'note' : 'bad', meaning: 'it was never backed up here', remedy }
  }
  const ageMs = now.getTime() - at.getTime()
  const answer = formatAge(at, now)
  if (objectives.rpo === null || ageMs <= objectives.rpo * grace) {
    return { check, answer, verdict: 'good', meaning: 'as new as it should be' }
  }
  if (objectives.written.includes('rpo') || ageMs > stoppedAfterMs) {
    return { check, answer, verdict: 'bad', meaning: 'backups have stopped', remedy }
  }
  return { check, answer, verdict: 'note', meaning: 'older than a day: has last night failed?', remedy }
}

function judgeProof(database: string, at: Date | undefined, { now, objectives, option }: Expectation): HostFinding {
  const check = `${database}: newest proven`
  const answer = at ? formatAge(at, now) : 'none'
  const { proveEvery, written } = objectives
  const isOld = proveEvery !== null && (!at || now.getTime() - at.getTime() > proveEvery * grace)
  if (!isOld) return { check, answer, verdict: 'good', meaning: 'it was restored and found equal' }
  return {
    check,
    answer,
    verdict: written.includes('proveEvery') ? 'bad' : 'note',
    meaning: at ? 'nothing newer has been proven' : 'nobody knows whether its backups can be restored',
    remedy: `pgrevive prove --database ${shellWord(database)}${option}`,
  }
}
