import { AppError } from '../../core/app-error.ts'
import { listSome } from '../../core/text/list-some.ts'
import { checkRepository } from '../../repository/check/check-repository.ts'
import type { CheckReport, Damage, Repair } from '../../repository/check/check-report.ts'
import { backupStreams } from '../../repository/backups/open-backup.ts'
import { saveCheck } from '../../repository/retention/backup-notes.ts'
import { cleanUpAfterKilledRuns } from '../repositories/clean-up.ts'
import { formatBytes, formatQuantity } from '../../core/text/format.ts'
import { printable } from '../../core/text/printable.ts'
import { expected, openRepositoryOf } from '../repositories/repository-access.ts'
import { z } from 'zod'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { checkLevel, flag } from '../option-types.ts'

const checkOptions = z.strictObject({ level: checkLevel.default('structure'), repair: flag })
export type CheckOptions = z.output<typeof checkOptions>

async function check(options: CheckOptions, context: CommandContext): Promise<Outcome> {
  const repository = await openRepositoryOf(context)
  const { signal, terminal } = context
  await cleanUpAfterKilledRuns(repository, context)
  // what a level does not see can not be repaired
  const level = options.repair && options.level !== 'content' ? levelNumbers.bits : levelNumbers[options.level]
  const startedAt = await unlessReadOnly(() => repository.store.now(context), context)
  const report = await checkRepository(repository, {
    level,
    repair: options.repair,
    signal,
    streamsOf: (record, reader) => backupStreams(reader, record, { signal }),
    onProgress: ({ doneBytes, totalBytes }) =>
      context.onProgress({ phase: 'check', unit: 'bytes', done: doneBytes, total: totalBytes }),
  })
  const { checked, damages, touched, repairs, salvagedChunks, late } = report
  if (startedAt) {
    const noted = { level, startedAt, damaged: touched.map(({ id }) => id) }
    await unlessReadOnly(() => saveCheck(repository, noted, context), context)
  }
  const { colors } = terminal
  const counts = [
    formatQuantity(checked.records, 'backup'),
    formatQuantity(checked.packs, 'pack'),
    formatBytes(checked.packBytes),
    ...(checked.readBytes > 0 ? [`${formatBytes(checked.readBytes)} read`] : []),
  ]
  const lines = [
    `checked ${counts.join(', ')} (level ${level})`,
    ...repairs.map(
      ({ object, problem, done }) => `  ${colors.good(doneWords[done])}: ${object}, which ${problemWords[problem]}`,
    ),
    ...(salvagedChunks > 0 ? [`  ${formatQuantity(salvagedChunks, 'chunk')} of damaged packs saved`] : []),
    ...damages.flatMap((damage) => describe(damage, context)),
    ...late.map(
      (id) =>
        `  ${colors.warning('note')}: backup ${id} was stored late, or copied without its time: trust it as far as this check went`,
    ),
  ]
  if (damages.length === 0) {
    const verdict = repairs.length > 0 ? 'all damage is repaired' : 'no damage found'
    return { document: { ...report }, text: `${[...lines, colors.good(verdict)].join('\n')}\n` }
  }
  return {
    document: { ...report },
    text: `${lines.join('\n')}\n`,
    failure: new AppError(
      'check-damaged',
      `${formatQuantity(damages.length, 'object')} damaged, ${formatQuantity(touched.length, 'backup')} touched`,
      { hint: nextStep(report) },
    ),
  }
}

/** Notes the check, so that list tells of it; who may only read can not do that. */
async function unlessReadOnly<Result>(
  work: () => Promise<Result>,
  context: CommandContext,
): Promise<Result | undefined> {
  try {
    return await work()
  } catch (error) {
    const { message } = expected(error, context)
    context.terminal.say(`${printable(`list will not tell of this check: ${message}`)}\n`)
    return undefined
  }
}

function nextStep({ damages }: CheckReport): string {
  const packs = damages.filter(({ object }) => /^(packs|meta)\//.test(object))
  const backUp = 'pgrevive backup": it stores again what was lost and the database still has'
  if (damages.some(({ repairable }) => repairable)) {
    return `run "pgrevive check --repair"${packs.length > 0 ? `, then "${backUp}` : ''}`
  }
  const ofRecords = damages.filter(({ object }) => object.startsWith('records/'))
  const steps = [
    ...(packs.length > 0
      ? [
          `run "${backUp}; what is listed after that is gone for these backups, and "pgrevive restore --skip-damaged" restores the rest`,
        ]
      : []),
    ...(ofRecords.length > 0 ? ['a backup without its record can not be restored: make a new one'] : []),
    ...(damages.some(({ object }) => object.startsWith('proofs/'))
      ? ['run "pgrevive prove" again, then remove the damaged proof']
      : []),
    ...(damages.some(({ object }) => object.startsWith('notes/'))
      ? ['pin again what is to stay ("pgrevive list" shows what is pinned), then remove the damaged note']
      : []),
    'if there is another copy of the repository, copy the object from there',
    ...(ofRecords.length > 0 ? [`else "pgrevive forget ${idsOf(ofRecords)}", and the backup is no longer missed`] : []),
  ]
  return steps.join('; ')
}

function idsOf(damages: readonly Damage[]): string {
  return [...new Set(damages.flatMap(({ backups }) => backups.map(({ id }) => id)))].join(' ')
}

const levelNumbers = { list: 0, structure: 1, bits: 2, content: 3 } as const

const problemWords = {
  outdated: 'does not say who has access now',
  missing: 'is missing',
  short: 'has the wrong length',
  hash: 'is not what was written',
  unreadable: 'can not be read',
  dangling: 'names data that is nowhere',
} as const satisfies Record<Damage['problem'], string>

const doneWords = { condemned: 'not relied on any more', rewritten: 'written again' } as const satisfies Record<
  Repair['done'],
  string
>

function describe({ object, problem, backups }: Damage, { terminal }: CommandContext): string[] {
  return [
    `  ${terminal.colors.bad(problemWords[problem])}: ${printable(object)}`,
    ...backups.map(({ id, streams }) => {
      if (streams.length === 0 || streams.includes('manifest')) return `    backup ${id}: all of it`
      return `    backup ${id}: ${printable(listSome(streams))}`
    }),
  ]
}

export const checkCommand = defineCommand({
  name: 'check',
  summary: 'look for damage in the repository',
  description:
    'Looks for missing and damaged objects, says which backups and tables they touch, and what to do next. Levels, each of which includes the ones before: 0 list (is every object there, and as long as it should be), 1 structure (does every backup lead to all of its data), 2 bits (is every object what was written; needs no key), 3 content (does everything decrypt and unpack to what it was). Whether a backup can be restored is what prove answers. It also removes what runs that were killed have left: scratch servers of this user, and files that nobody has written to for a day.',
  arguments: [],
  options: [
    { flags: '--level <LEVEL>', help: '0 to 3, or list, structure, bits, content (default: structure)' },
    {
      flags: '--repair',
      help: 'write again what can be, save what is good of damaged packs, and let no later backup rely on these, so that the next one stores again what it needs of them',
    },
  ],
  examples: [
    { command: 'pgrevive check --repo ./backups', meaning: 'quick: is everything there' },
    { command: 'pgrevive check --level content', meaning: 'thorough: read and decrypt everything' },
    { command: 'pgrevive check --level bits --repair', meaning: 'after a disk failed' },
  ],
  schema: checkOptions,
  keepsLog: true,
  onEach: true,
  run: check,
})
