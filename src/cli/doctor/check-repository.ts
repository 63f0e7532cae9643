import { constants, access, statfs } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { AppError } from '../../core/app-error.ts'
import type { Repository } from '../../repository/repository.ts'
import type { CommandContext } from '../command-context.ts'
import type { RepositorySettings } from '../../config/config.ts'
import { openRepositoryAt } from '../repositories/repository-access.ts'
import { formatBytes } from '../../core/text/format.ts'
import { shellWord } from '../../core/text/shell-word.ts'
import { checkFreshness } from './check-freshness.ts'
import { checkRestore } from './check-restore.ts'
import { type HostFinding, clockFinding, failed, orError } from './host-finding.ts'

/** Below it, the next backup is likely to be refused. */
const littleSpace = 1e9

/** Whether it can be opened, what its key is good for, whether there is room, and how new what is in it is. */
export async function checkRepository(settings: RepositorySettings, context: CommandContext): Promise<HostFinding[]> {
  const { place } = settings
  const repository = await orError(openRepositoryAt(settings, context), context)
  if (repository instanceof AppError) return [failed('repository', repository, remedyFor(repository, settings))]
  const canRead = await repository.canRead()
  const findings: HostFinding[] = [
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
  if (place.kind === 'directory') findings.push(...(await checkDirectory(place.path)))
  findings.push(await checkClock(repository, context))
  findings.push(...(await checkFreshness(repository, settings, context)))
  return canRead ? [...findings, ...(await checkRestore(repository, context))] : findings
}

/** Only looks; `doctor --store` writes. */
async function checkDirectory(path: string): Promise<HostFinding[]> {
  const findings: HostFinding[] = []
  for (const directory of [path, `${path}/packs`, `${path}/records`]) {
    const error = await access(directory, constants.W_OK | constants.X_OK).then(
      () => undefined,
      (error: NodeJS.ErrnoException) => error,
    )
    if (!error || error.code === 'ENOENT') continue
    const { username } = userInfo()
    const isReadOnly = error.code === 'EROFS'
    findings.push({
      check: 'write',
      answer: 'denied',
      verdict: 'bad',
      meaning: isReadOnly
        ? `the file system of ${directory} is read-only`
        : `${username} may not write into ${directory}`,
      remedy: isReadOnly
        ? `mount -o remount,rw "$(stat -c %m ${shellWord(path)})"`
        : `sudo chown -R ${username} ${shellWord(path)}   # or run pgrevive as its owner`,
    })
    return findings
  }
  const { bavail, bsize } = await statfs(path)
  const free = bavail * bsize
  findings.push({ check: 'write', answer: 'allowed', verdict: 'good', meaning: 'backups can be stored' })
  findings.push({
    check: 'free space',
    answer: formatBytes(free),
    verdict: free < littleSpace ? 'note' : 'good',
    meaning: free < littleSpace ? `there is little room left on the disk of ${path}` : `on the disk of ${path}`,
    ...(free < littleSpace && { remedy: `pgrevive forget && pgrevive prune   # or: df -h ${shellWord(path)}` }),
  })
  return findings
}

async function checkClock(repository: Repository, context: CommandContext): Promise<HostFinding> {
  const before = Date.now()
  const told = await orError(repository.store.now(context), context)
  if (told instanceof AppError) return failed('clock', told)
  return clockFinding('the store', told.getTime() - (before + Date.now()) / 2)
}

function remedyFor({ code, hint }: AppError, { place, name }: RepositorySettings): string | undefined {
  if (code === 'store-denied' && place.kind === 'directory') {
    return `sudo chown -R ${userInfo().username} ${shellWord(place.path)}   # or run pgrevive as its owner`
  }
  if (code === 'repository-missing') return `pgrevive init --repo ${shellWord(name)}`
  return hint
}
