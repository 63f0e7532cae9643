import { AppError } from '../../core/app-error.ts'
import { checkRepository } from '../../repository/check-repository.ts'
import type { Damage } from '../../repository/check-report.ts'
import { backupStreams } from '../../repository/open-backup.ts'
import { formatBytes, formatQuantity } from '../format.ts'
import { printable } from '../printable.ts'
import { openRepositoryOf } from '../repository-access.ts'
import { z } from 'zod'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { checkLevel, flag } from '../option-types.ts'

const checkOptions = z.strictObject({ level: checkLevel.default('structure'), repair: flag })
export type CheckOptions = z.output<typeof checkOptions>

async function check(options: CheckOptions, context: CommandContext): Promise<Outcome> {
  const repository = await openRepositoryOf(context)
  const { signal, terminal } = context
  // what a level does not see can not be repaired
  const level = options.repair && options.level !== 'content' ? levelNumbers.bits : levelNumbers[options.level]
  const reader = await repository.openReader(context)
  const report = await checkRepository(repository, {
    level,
    signal,
    streamsOf: (record) => backupStreams(reader, record, { signal }),
    onProgress: ({ doneBytes, totalBytes }) =>
      context.onProgress({ phase: 'check', unit: 'bytes', done: doneBytes, total: totalBytes }),
  })
  const packs = report.damages.flatMap(({ object }) => /^(?:packs|meta)\/..\/([0-9a-f]{64})$/.exec(object)?.[1] ?? [])
  if (options.repair && packs.length > 0) await repository.condemn([...new Set(packs)], context)
  const { checked, damages } = report
  const { colors } = terminal
  const counts = [
    formatQuantity(checked.records, 'backup'),
    formatQuantity(checked.packs, 'pack'),
    formatBytes(checked.packBytes),
    ...(checked.readBytes > 0 ? [`${formatBytes(checked.readBytes)} read`] : []),
  ]
  const summary = `checked ${counts.join(', ')} (level ${level})\n`
  if (damages.length === 0) return { document: { ...report }, text: `${summary}${colors.good('no damage found')}\n` }
  const repaired = options.repair && packs.length > 0
  const touched = new Set(damages.flatMap(({ backups }) => backups.map(({ id }) => id)))
  const next = repaired
    ? 'run "pgrevive backup" now: it stores again what was lost and the database still has; what "pgrevive check" lists then is gone for those backups'
    : packs.length > 0
      ? 'run "pgrevive check --repair", then "pgrevive backup": it stores again what was lost and the database still has'
      : 'run "pgrevive check --level bits" to see whether more is damaged; copy the object back from another copy of the repository'
  return {
    document: { ...report, repaired },
    text: summary + damages.map((damage) => describe(damage, context)).join(''),
    failure: new AppError(
      'check-damaged',
      `${formatQuantity(damages.length, 'object')} damaged, ${formatQuantity(touched.size, 'backup')} touched`,
      { hint: next },
    ),
  }
}

const levelNumbers = { list: 0, structure: 1, bits: 2, content: 3 } as const
const streamsShown = 10

const problemWords = {
  missing: 'is missing',
  short: 'has the wrong length',
  hash: 'is not what was written',
  unreadable: 'can not be read',
  dangling: 'names data that is nowhere',
  'late-commit': 'was written too long after its check',
} as const satisfies Record<Damage['problem'], string>

function describe({ object, problem, backups }: Damage, { terminal }: CommandContext): string {
  const lines = backups.map(({ id, streams }) => {
    const more = streams.length > streamsShown ? ` and ${streams.length - streamsShown} more` : ''
    const names = streams.length === 0 ? 'all of it' : streams.slice(0, streamsShown).join(', ') + more
    return `    backup ${id}: ${printable(names)}\n`
  })
  return `  ${terminal.colors.bad(problemWords[problem])}: ${printable(object)}\n${lines.join('')}`
}

export const checkCommand = defineCommand({
  name: 'check',
  summary: 'look for damage in the repository',
  description:
    'Looks for missing and damaged objects, says which backups and tables they touch, and what to do next. Levels, each of which includes the ones before: 0 list (is every object there, and as long as it should be), 1 structure (does every backup lead to all of its data), 2 bits (is every object what was written; needs no key), 3 content (does everything decrypt and unpack to what it was). Whether a backup can be restored is what prove answers.',
  arguments: [],
  options: [
    { flags: '--level <LEVEL>', help: '0 to 3, or list, structure, bits, content (default: structure)' },
    {
      flags: '--repair',
      help: 'let no later backup rely on damaged objects, so that the next one stores again what it needs of them',
    },
  ],
  examples: [
    { command: 'pgrevive check --repo ./backups', meaning: 'quick: is everything there' },
    { command: 'pgrevive check --level content', meaning: 'thorough: read and decrypt everything' },
    { command: 'pgrevive check --level bits --repair', meaning: 'after a disk failed' },
  ],
  schema: checkOptions,
  run: check,
})
