import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { type Backup, listProofs } from '../../repository/backups/open-backup.ts'
import { lastCheckOf, listNotes } from '../../repository/retention/backup-notes.ts'
import { worthCopying } from '../../repository/retention/plan-forgetting.ts'
import type { CommandContext } from '../command-context.ts'
import { type Copying, copyInto, copyingDocument, describeCopying } from '../repositories/copy-into.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { failureOf } from '../repositories/each-repository.ts'
import { formatQuantity } from '../../core/text/format.ts'
import { type ListedRepository, listAll } from '../repositories/locate-backup.ts'
import { flag } from '../option-types.ts'
import { text } from '../../config/value-types.ts'
import { printable } from '../../core/text/printable.ts'
import { type FailedRepository, expected } from '../repositories/repository-access.ts'
import type { RepositorySettings } from '../../config/config.ts'
import { configuredRetention } from '../repositories/retention-rules.ts'
import { type Settings, withRepositories, requireRepositories } from '../settings/settings.ts'

const syncOptions = z.strictObject({ from: text.optional(), to: text.optional(), dryRun: flag })
export type SyncOptions = z.output<typeof syncOptions>

interface Synced extends Copying {
  /** What was missing, and the retention of this repository would let go at once. */
  readonly leftOut: string[]
  /** Of what is to be copied, how much is not. */
  missing: number
}

async function sync({ from, to, dryRun }: SyncOptions, context: CommandContext): Promise<Outcome> {
  const all = await context.settings()
  const configured = requireSeveral(all, { from, to, dryRun }).map(({ name }) => name)
  const named = [...(from === undefined || to === undefined ? configured : []), from ?? [], to ?? []].flat()
  const settings = withRepositories(all, [...new Set(named)], context)
  const { listed, failed } = await listAll({ ...context, settings: async () => settings })
  const failures: FailedRepository[] = [...failed]
  for (const { name, error } of failed) context.terminal.warn(printable(`${name} is left aside: ${error.message}`))
  warnOfDamaged(listed, context)
  const synced: Synced[] = []
  const sources = listed.filter(({ name }) => from === undefined || name === from)
  for (const target of listed.filter(({ name }) => (to === undefined ? name !== from : name === to))) {
    const done: Synced = { to: target.name, copied: [], failed: [], leftOut: [], missing: 0 }
    synced.push(done)
    try {
      await syncInto(done, target, sources, { settings, dryRun }, context)
    } catch (thrown) {
      const error = expected(thrown, context)
      failures.push({ name: target.name, error })
      context.terminal.warn(printable(`${target.name} is not complete: ${error.message}`))
    }
    const [first] = done.failed
    if (first) failures.push({ name: target.name, error: first.error })
  }
  const document = {
    dryRun,
    repositories: synced.map((one) => ({ ...copyingDocument(one), leftOut: one.leftOut, missing: one.missing })),
  }
  const outcome = { document, text: synced.map((one) => describe(one, dryRun, context)).join('') }
  return failures.length === 0 ? outcome : { ...outcome, failure: failureOf(failures, settings.repositories.length) }
}

/** Those of the settings, of which there must be two unless two are named. */
function requireSeveral(settings: Settings, { from, to }: SyncOptions): readonly RepositorySettings[] {
  if (from !== undefined && to !== undefined) return []
  const repositories = requireRepositories(settings)
  if (new Set([...repositories.map(({ name }) => name), from ?? [], to ?? []].flat()).size > 1) return repositories
  throw new AppError('usage-invalid', 'only one repository is named', {
    hint: 'give --from and --to, or write "repositories:" into pgrevive.yaml',
  })
}

function warnOfDamaged(listed: readonly ListedRepository[], { terminal }: CommandContext): void {
  for (const { name, damaged } of listed) {
    for (const id of damaged) {
      terminal.warn(
        printable(`the record of backup ${id} in ${name} is damaged; it is written again if another has it`),
      )
    }
  }
}

/**
 * From every other repository what this one lacks, or holds damaged by its last check, and would keep; each backup from
 * the first that has it.
 */
async function syncInto(
  done: Synced,
  target: ListedRepository,
  sources: readonly ListedRepository[],
  { settings, dryRun }: { readonly settings: Settings; readonly dryRun: boolean },
  context: CommandContext,
): Promise<void> {
  const { checks } = await listNotes(target.repository, context)
  const isDamaged = (backup: Backup) => lastCheckOf(backup, checks)?.isWhole === false
  const there = new Set(target.backups.filter((backup) => !isDamaged(backup)).map(({ id }) => id))
  const retention = settings.repositories.find(({ name }) => name === target.name)?.retention
  const policyOf = configuredRetention(settings, { retention })
  const work: { readonly from: ListedRepository; readonly backups: readonly Backup[] }[] = []
  for (const from of sources) {
    if (from === target) continue
    const proofs = await listProofs(from.repository, context)
    const candidates = from.backups.filter(({ id }) => !there.has(id) && proofs.get(id)?.outcome !== 'refuted')
    const { pins } = await listNotes(from.repository, context)
    const wanted = await worthCopying(target.repository, candidates, policyOf, context)
    const backups = candidates.filter((backup) => pins.has(backup.id) || wanted.includes(backup))
    done.leftOut.push(...candidates.filter((backup) => !backups.includes(backup)).map(({ id }) => id))
    for (const { id } of candidates) there.add(id)
    work.push({ from, backups })
  }
  const total = work.reduce((sum, { backups }) => sum + backups.length, 0)
  try {
    for (const { from, backups } of work) {
      if (dryRun) done.copied.push(...backups.map((backup) => asCopied(from, backup)))
      else await copyInto(done, { from, to: target.repository }, backups, context)
    }
  } finally {
    done.missing = total - done.copied.length
  }
}

function asCopied({ name }: ListedRepository, { id, record }: Backup): Copying['copied'][number] {
  return { from: name, backup: { id, record } }
}

function describe(done: Synced, dryRun: boolean, context: CommandContext): string {
  const { copied, leftOut, missing } = done
  const name = printable(done.to)
  const count = formatQuantity(copied.length, 'backup')
  const did = dryRun ? `would copy ${count} into ${name}\n` : describeCopying(done, context)
  const lines = [
    copied.length > 0 ? did : missing > 0 ? '' : `${name}: nothing to copy\n`,
    missing > 0
      ? `${context.terminal.colors.bad('not complete')} ${name}: ${formatQuantity(missing, 'backup')} missing\n`
      : '',
    leftOut.length > 0 ? `  ${formatQuantity(leftOut.length, 'backup')} that its retention would let go\n` : '',
  ]
  return lines.join('')
}

export const syncCommand = defineCommand({
  name: 'sync',
  summary: 'give every repository the backups that it lacks',
  description:
    'Copies into every repository of pgrevive.yaml, or into --to alone, what it lacks of the backups in the others, or in --from alone, as copy does; also what the last check found damaged there, after check --repair. What the retention of a repository would let go at once is not copied into it, nor are refuted backups; pinned ones are. Run it after the backups: a repository that could not be reached becomes complete again.',
  arguments: [],
  options: [
    {
      flags: '--from <PLACE>',
      help: 'only what this repository has: a name from pgrevive.yaml, a directory, or a URL',
    },
    { flags: '--to <PLACE>', help: 'only into this repository' },
    { flags: '--dry-run', help: 'only tell what would be copied' },
  ],
  examples: [
    { command: 'pgrevive sync', meaning: 'all repositories of pgrevive.yaml' },
    { command: 'pgrevive sync --from local --to offsite', meaning: 'one way' },
  ],
  schema: syncOptions,
  keepsLog: true,
  run: sync,
})
