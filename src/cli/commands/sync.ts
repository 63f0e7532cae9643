import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { type Backup, listProofs } from '../../repository/backups/open-backup.ts'
import { listNotes } from '../../repository/retention/backup-notes.ts'
import { worthCopying } from '../../repository/retention/plan-forgetting.ts'
import type { CommandContext } from '../command-context.ts'
import { type Copying, copyInto, copyingDocument, describeCopying } from '../copy-into.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { failureOf } from '../each-repository.ts'
import { formatQuantity } from '../format.ts'
import { type ListedRepository, listAll } from '../locate-backup.ts'
import { flag, text } from '../option-types.ts'
import { printable } from '../printable.ts'
import { type FailedRepository, expected } from '../repository-access.ts'
import { configuredRetention } from '../retention-rules.ts'
import { type Settings, withRepositories, requireRepositories } from '../settings.ts'

const syncOptions = z
  .strictObject({ from: text.optional(), to: text.optional(), dryRun: flag })
  .refine(({ from, to }) => (from === undefined) === (to === undefined), '--from and --to go together')
export type SyncOptions = z.output<typeof syncOptions>

interface Synced extends Copying {
  /** What was missing, and the retention of this repository would let go at once. */
  readonly leftOut: string[]
}

async function sync({ from, to, dryRun }: SyncOptions, context: CommandContext): Promise<Outcome> {
  const all = await context.settings()
  const settings = from === undefined || to === undefined ? severalOf(all) : withRepositories(all, [from, to], context)
  const { listed, failed } = await listAll({ ...context, settings: async () => settings })
  const failures: FailedRepository[] = [...failed]
  const synced: Synced[] = []
  for (const { name, error } of failed) context.terminal.warn(printable(`${name} is left aside: ${error.message}`))
  for (const target of listed.filter((one) => from === undefined || one !== listed[0])) {
    const done: Synced = { to: target.name, copied: [], failed: [], leftOut: [] }
    synced.push(done)
    try {
      await syncInto(done, target, listed, settings, { ...context, dryRun })
    } catch (thrown) {
      const error = expected(thrown, context)
      failures.push({ name: target.name, error })
      context.terminal.warn(printable(`${target.name} is not complete: ${error.message}`))
    }
    const [first] = done.failed
    if (first) failures.push({ name: target.name, error: first.error })
  }
  const document = { dryRun, repositories: synced.map((one) => ({ ...copyingDocument(one), leftOut: one.leftOut })) }
  const outcome = { document, text: synced.map((one) => describe(one, dryRun, context)).join('') }
  return failures.length === 0 ? outcome : { ...outcome, failure: failureOf(failures, settings.repositories.length) }
}

function severalOf(settings: Settings): Settings {
  if (requireRepositories(settings).length > 1) return settings
  throw new AppError('usage-invalid', 'only one repository is named', {
    hint: 'give --from and --to, or write "repositories:" into pgrevive.yaml',
  })
}

/** From every other repository what this one lacks and would keep; each backup from the first that has it. */
async function syncInto(
  done: Synced,
  target: ListedRepository,
  listed: readonly ListedRepository[],
  settings: Settings,
  context: CommandContext & { readonly dryRun: boolean },
): Promise<void> {
  const there = new Set(target.backups.map(({ id }) => id))
  const retention = settings.repositories.find(({ name }) => name === target.name)?.retention
  for (const source of listed) {
    if (source === target) continue
    const refuted = await listProofs(source.repository, context)
    const candidates = source.backups.filter(({ id }) => !there.has(id) && refuted.get(id)?.outcome !== 'refuted')
    const { pins } = await listNotes(source.repository, context)
    const wanted = await worthCopying(
      target.repository,
      candidates,
      configuredRetention(settings, { retention }),
      context,
    )
    const missing = candidates.filter((backup) => pins.has(backup.id) || wanted.includes(backup))
    done.leftOut.push(...candidates.filter((backup) => !missing.includes(backup)).map(({ id }) => id))
    for (const { id } of candidates) there.add(id)
    if (context.dryRun) done.copied.push(...missing.map((backup) => asCopied(source, backup)))
    else await copyInto(done, { from: source, to: target.repository }, missing, context)
  }
}

function asCopied({ name }: ListedRepository, { id, record }: Backup): Copying['copied'][number] {
  return { from: name, backup: { id, record } }
}

function describe(done: Synced, dryRun: boolean, context: CommandContext): string {
  const { copied, leftOut } = done
  const left =
    leftOut.length === 0 ? '' : `  ${formatQuantity(leftOut.length, 'backup')} that its retention would let go\n`
  if (copied.length === 0) return `${printable(done.to)}: nothing to copy\n${left}`
  if (!dryRun) return describeCopying(done, context) + left
  return `would copy ${formatQuantity(copied.length, 'backup')} into ${printable(done.to)}\n${left}`
}

export const syncCommand = defineCommand({
  name: 'sync',
  summary: 'give every repository the backups that it lacks',
  description:
    'Copies into every repository of pgrevive.yaml, or into --to alone, what it lacks of the backups in the others, or in --from, as copy does. What the retention of a repository would let go at once is not copied into it, nor are refuted backups; pinned ones are. Run it after the backups: a repository that could not be reached becomes complete again.',
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
  run: sync,
})
