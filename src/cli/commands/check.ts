import { AppError } from '../../core/app-error.ts'
import { listSome } from '../../core/text/list-some.ts'
import type { CheckedPart } from '../../repository/check/check-part.ts'
import { checkRepository } from '../../repository/check/check-repository.ts'
import type { CheckReport, Damage, Repair } from '../../repository/check/check-report.ts'
import { backupStreams } from '../../repository/backups/open-backup.ts'
import { type CheckRound, describeRound, noteCheck, openRound } from '../repositories/check-round.ts'
import { cleanUpAfterKilledRuns } from '../repositories/clean-up.ts'
import { formatBytes, formatQuantity } from '../../core/text/format.ts'
import { printable } from '../../core/text/printable.ts'
import { expected, openRepositoryOf } from '../repositories/repository-access.ts'
import { z } from 'zod'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { checkLevel, flag } from '../option-types.ts'
import { byteCount } from '../../config/value-types.ts'

const levelNumbers = { list: 0, structure: 1, bits: 2, content: 3 } as const

const checkOptions = z
  .strictObject({ level: checkLevel.optional(), budget: byteCount.optional(), repair: flag })
  .refine(
    ({ level, budget }) => budget === undefined || level === undefined || levelNumbers[level] >= levelNumbers.bits,
    '--budget needs --level bits or content: the others read no data',
  )
export type CheckOptions = z.output<typeof checkOptions>

async function check(options: CheckOptions, context: CommandContext): Promise<Outcome> {
  const repository = await openRepositoryOf(context)
  const { signal, terminal } = context
  await cleanUpAfterKilledRuns(repository, context)
  // what a level does not see can not be repaired
  const readsData = options.repair || options.budget !== undefined
  const level =
    readsData && options.level !== 'content' ? levelNumbers.bits : levelNumbers[options.level ?? 'structure']
  const { budget } = options
  const lacking = `list will not tell of this check${budget === undefined ? '' : ', and the next one reads the same part'}`
  const startedAt = await unlessReadOnly(() => repository.store.now(context), lacking, context)
  const round = budget === undefined ? undefined : await openRound(repository, level, startedAt ?? new Date(), context)
  const report = await checkRepository(repository, {
    level,
    repair: options.repair,
    part: round && budget !== undefined ? { budgetBytes: budget, after: round.upTo, again: round.damaged } : undefined,
    signal,
    streamsOf: (record, reader) => backupStreams(reader, record, { signal }),
    onProgress: ({ doneBytes, totalBytes }) =>
      context.onProgress({ phase: 'check', unit: 'bytes', done: doneBytes, total: totalBytes }),
  })
  const { checked, damages, touched, repairs, salvagedChunks, late, part } = report
  if (startedAt) await unlessReadOnly(() => noteCheck(repository, report, startedAt, round, context), lacking, context)
  const { colors } = terminal
  const counts = [
    formatQuantity(checked.records, 'backup'),
    formatQuantity(checked.packs, 'pack'),
    formatBytes(checked.packBytes),
    ...(checked.readBytes > 0 ? [`${formatBytes(checked.readBytes)} read`] : []),
  ]
  const lines = [
    `checked ${counts.join(', ')} (level ${level})`,
    ...(part && round ? [`  ${describeRound({ ...part, ...round }, new Date())}`] : []),
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
  const document = { ...report, part: undefined, ...(part && round && { round: roundDocument(part, round) }) }
  if (damages.length === 0) {
    const verdict = repairs.length > 0 ? 'all damage is repaired' : 'no damage found'
    return { document, text: `${[...lines, colors.good(verdict)].join('\n')}\n` }
  }
  return {
    document,
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
  lacking: string,
  context: CommandContext,
): Promise<Result | undefined> {
  try {
    return await work()
  } catch (error) {
    const { message } = expected(error, context)
    context.terminal.say(`${printable(`${lacking}: ${message}`)}\n`)
    return undefined
  }
}

function roundDocument({ upTo, doneBytes, totalBytes }: CheckedPart, { startedAt }: CheckRound) {
  return { startedAt, doneBytes, totalBytes, isOver: upTo === undefined }
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
    {
      flags: '--level <LEVEL>',
      help: '0 to 3, or list, structure, bits, content (default: structure; with --budget, bits)',
    },
    {
      flags: '--budget <SIZE>',
      help: 'read about so much of the data, such as 10GB, and go on with the rest the next time: what was read longest ago comes first (level bits or content)',
    },
    {
      flags: '--repair',
      help: 'write again what can be, save what is good of damaged packs, and let no later backup rely on these, so that the next one stores again what it needs of them',
    },
  ],
  examples: [
    { command: 'pgrevive check --repo ./backups', meaning: 'quick: is everything there' },
    { command: 'pgrevive check --level content', meaning: 'thorough: read and decrypt everything' },
    { command: 'pgrevive check --budget 10GB', meaning: 'every day a part: in the end all bits have been read' },
    { command: 'pgrevive check --level bits --repair', meaning: 'after a disk failed' },
  ],
  schema: checkOptions,
  keepsLog: true,
  onEach: true,
  run: check,
})
