import { AppError } from '../../core/app-error.ts'
import { type Backup, listBackups, listProofs, momentOf } from '../../repository/backups/open-backup.ts'
import type { Repository } from '../../repository/repository.ts'
import type { CommandContext } from '../command-context.ts'
import type { RepositorySettings } from '../../config/config.ts'
import { formatAge } from '../../core/text/format.ts'
import { shellWord } from '../../core/text/shell-word.ts'
import { type HostFinding, failed, orError } from './host-finding.ts'

const hourMs = 3600 * 1000
/** Where pgrevive.yaml expects nothing: a daily backup that did not come, and one that has not come for long. */
const usual = { backupNoteMs: 26 * hourMs, backupBadMs: 8 * 24 * hourMs, proofNoteMs: 35 * 24 * hourMs }

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
  return [...config.databases.keys()].flatMap((database) => {
    const own = backups.filter(({ record }) => record.database === database)
    const proven = own.filter(({ id }) => proofs.get(id)?.outcome === 'proven')
    return [
      judgeBackup(database, newest(own), {
        now,
        withinMs: config.expect.backupWithinMs,
        isNew: backups.length === 0,
        option,
      }),
      ...(own.length === 0
        ? []
        : [judgeProof(database, newest(proven), { now, withinMs: config.expect.proofWithinMs, option })]),
    ]
  })
}

function newest(backups: readonly Backup[]): Date | undefined {
  return backups.length === 0 ? undefined : new Date(Math.max(...backups.map(momentOf)))
}

interface Expectation {
  readonly now: Date
  readonly withinMs: number | undefined
  readonly option: string
}

/** `isNew`: the repository holds nothing yet. */
function judgeBackup(
  database: string,
  at: Date | undefined,
  { now, withinMs, isNew, option }: Expectation & { readonly isNew: boolean },
): HostFinding {
  const check = `${database}: newest backup`
  const remedy = `pgrevive backup ${shellWord(database)}${option}   # look why it did not run: crontab -l; systemctl list-timers`
  if (!at) {
    return { check, answer: 'none', verdict: isNew ? 'note' : 'bad', meaning: 'it was never backed up here', remedy }
  }
  const ageMs = now.getTime() - at.getTime()
  const answer = formatAge(at, now)
  if (ageMs > (withinMs ?? usual.backupBadMs)) {
    return { check, answer, verdict: 'bad', meaning: 'backups have stopped', remedy }
  }
  if (withinMs === undefined && ageMs > usual.backupNoteMs) {
    return { check, answer, verdict: 'note', meaning: 'older than a day: has last night failed?', remedy }
  }
  return { check, answer, verdict: 'good', meaning: 'as new as it should be' }
}

function judgeProof(database: string, at: Date | undefined, { now, withinMs, option }: Expectation): HostFinding {
  const check = `${database}: newest proven`
  const answer = at ? formatAge(at, now) : 'none'
  const isOld = !at || now.getTime() - at.getTime() > (withinMs ?? usual.proofNoteMs)
  if (!isOld) return { check, answer, verdict: 'good', meaning: 'it was restored and found equal' }
  return {
    check,
    answer,
    verdict: withinMs === undefined ? 'note' : 'bad',
    meaning: at ? 'nothing newer has been proven' : 'nobody knows whether its backups can be restored',
    remedy: `pgrevive prove --database ${shellWord(database)}${option}`,
  }
}
