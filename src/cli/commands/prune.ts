import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { listSome } from '../../core/text/list-some.ts'
import { backupStreams } from '../../repository/backups/open-backup.ts'
import type { PruneReport } from '../../repository/prune/prune-report.ts'
import { lockAnew } from '../../repository/prune/lock-anew.ts'
import { pruneRepository } from '../../repository/prune/prune-repository.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { formatBytes, formatQuantity, formatTime } from '../../core/text/format.ts'
import { flag } from '../option-types.ts'
import { byteCount } from '../../config/value-types.ts'
import { printable } from '../../core/text/printable.ts'
import { openRepositoryOf } from '../repositories/repository-access.ts'

const pruneOptions = z
  .strictObject({ maxRepack: byteCount.optional(), dryRun: flag, extendLocks: flag })
  .refine(({ dryRun, extendLocks }) => !dryRun || !extendLocks, '--extend-locks and --dry-run exclude each other')
export type PruneOptions = z.output<typeof pruneOptions>

async function prune({ maxRepack, dryRun, extendLocks }: PruneOptions, context: CommandContext): Promise<Outcome> {
  const repository = await openRepositoryOf(context)
  const { signal, terminal } = context
  if (extendLocks && !repository.store.extendLock) {
    throw new AppError('usage-invalid', `${printable(repository.store.location)} asks for no locks to extend`, {
      hint: 'locks are asked for by lock-days=… in an s3:// URL',
    })
  }
  const report = await pruneRepository(repository, {
    maxRepackBytes: maxRepack,
    dryRun,
    signal,
    streamsOf: (record, reader) => backupStreams(reader, record, { signal }),
    onProgress: ({ doneBytes, totalBytes }) =>
      context.onProgress({ phase: 'copy', unit: 'bytes', done: doneBytes, total: totalBytes }),
  })
  if (report.damaged.length > 0) {
    terminal.warn(`damaged, and left alone: ${printable(listSome(report.damaged))}; run "pgrevive check --repair"`)
  }
  const locked = extendLocks ? await lockAnew(repository, context) : undefined
  return {
    document: { ...report, dryRun, ...(locked === undefined ? {} : { locked }) },
    text: describe(report, dryRun) + (locked === undefined ? '' : `locked anew: ${formatQuantity(locked, 'object')}\n`),
  }
}

function describe(report: PruneReport, dryRun: boolean): string {
  const { stored, removed, condemned, repacked, rescued, waiting, waitingUntil } = report
  const would = dryRun ? 'would be ' : ''
  const lines = [
    `${would}freed: ${formatBytes(report.freedBytes)} of ${formatBytes(stored.bytes)}, ${formatQuantity(removed.packs, 'pack')}`,
  ]
  if (condemned.packs > 0) {
    const copied = repacked.bytes > 0 ? `; ${formatBytes(repacked.bytes)} of that are needed and ${would}copied` : ''
    lines.push(
      `${would}condemned: ${formatBytes(condemned.bytes)}, ${formatQuantity(condemned.packs, 'pack')}${copied}`,
    )
  }
  if (rescued.packs > 0)
    lines.push(`${would}copied out of condemned packs, for backups that need it: ${formatBytes(rescued.bytes)}`)
  if (waitingUntil) lines.push(`for a prune after ${formatTime(waitingUntil)}: ${formatBytes(waiting.bytes)}`)
  return lines.map((line) => `${line}\n`).join('')
}

export const pruneCommand = defineCommand({
  name: 'prune',
  summary: 'free the space of what was forgotten',
  description:
    'Removes data that no backup needs, in two steps: what is of no use is condemned first, so that no backup relies on it any more, and removed by a prune a day later. So run it regularly, such as after each forget. Packs that are partly of use are rewritten, the most wasteful first, until little is wasted. It may run at any time next to backups, restores and other prunes, and be stopped anywhere. It reads nothing but what backups consist of, the packs that it rewrites, and, where something was stored twice, the older copy before the younger one goes; it needs no key that opens data.',
  arguments: [],
  options: [
    {
      flags: '--max-repack <SIZE>',
      help: 'copy at most this much out of packs, such as 5GB; one pack in any case (default: a tenth of the repository)',
    },
    { flags: '--dry-run', help: 'only tell what would be done' },
    {
      flags: '--extend-locks',
      help: 'lock all objects that are needed anew, for the days that lock-days=… of an s3:// URL says; a request for each',
    },
  ],
  examples: [
    { command: 'pgrevive prune', meaning: 'every night, after forget' },
    { command: 'pgrevive prune --max-repack 0 --dry-run', meaning: 'what would go without copying much' },
  ],
  schema: pruneOptions,
  keepsLog: true,
  onEach: true,
  run: prune,
})
