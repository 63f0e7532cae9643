import { constants, access, readFile, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { CommandContext } from '../command-context.ts'
import { formatBytes } from '../../core/text/format.ts'
import { shellWord } from '../../core/text/shell-word.ts'
import type { HostFinding } from './host-finding.ts'

/** Scratch servers and packs that are being made lie there. */
const temporary = '/tmp'
const littleSpace = 1e9
/** No file of a repository is larger; exports and scratch servers have larger ones. */
const leastFile = 1e9

/** What this machine and user allow. */
export async function checkMachine(context: CommandContext): Promise<HostFinding[]> {
  return [await checkFileSize(), await checkTemporary(), ...(await checkLog(context))]
}

/** RLIMIT_FSIZE of this process, which those that it starts inherit. */
async function checkFileSize(): Promise<HostFinding> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '')
  const limit = Number(/^Max file size +(\d+)/m.exec(limits)?.[1] ?? Infinity)
  const check = 'size of files'
  if (limit === Infinity) return { check, answer: 'any', verdict: 'good', meaning: 'no limit is set for this user' }
  return {
    check,
    answer: `at most ${formatBytes(limit)}`,
    verdict: limit < leastFile ? 'bad' : 'note',
    meaning:
      limit < leastFile
        ? 'backups, exports and proofs fail with "file too large"'
        : 'exports and proofs may need larger files',
    remedy:
      'ulimit -f unlimited   # in the shell; for good: "fsize" in /etc/security/limits.conf, LimitFSIZE=infinity in a unit',
  }
}

async function checkTemporary(): Promise<HostFinding> {
  const { bavail, bsize } = await statfs(temporary)
  const free = bavail * bsize
  const check = `space in ${temporary}`
  if (free >= littleSpace)
    return { check, answer: formatBytes(free), verdict: 'good', meaning: 'proofs and imports have room' }
  return {
    check,
    answer: formatBytes(free),
    verdict: 'note',
    meaning: 'proofs and imports restore there, and may not fit',
    remedy: 'du -xsh /tmp/* | sort -h   # and remove what nobody needs',
  }
}

async function checkLog(context: CommandContext): Promise<HostFinding[]> {
  const { logDirectory } = await context.settings()
  if (logDirectory === undefined) return []
  const check = 'logs of runs'
  const place = await nearestExisting(logDirectory)
  const writable = await access(place, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  )
  if (writable) return [{ check, answer: 'kept', verdict: 'good', meaning: logDirectory }]
  return [
    {
      check,
      answer: 'none',
      verdict: 'note',
      meaning: `${place} can not be written to: what runs did is not kept`,
      remedy: `install -d -m 700 ${shellWord(logDirectory)}   # as its owner, or "log: DIRECTORY" in pgrevive.yaml`,
    },
  ]
}

async function nearestExisting(path: string): Promise<string> {
  const isThere = await access(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  )
  return isThere || dirname(path) === path ? path : nearestExisting(dirname(path))
}
