import { AppError } from '../core/app-error.ts'
import type { OnProgress } from '../core/progress.ts'
import type { ConnectionTarget, Environment } from '../postgres/target/connection-target.ts'
import type { Manifest } from '../repository/backups/manifest.ts'
import { readBackupTexts } from '../repository/backups/open-backup.ts'
import type { RestoreChoices } from '../repository/backups/restore-plan.ts'
import type { RepositoryReader } from '../repository/repository-reader.ts'
import { type Comparison, type Difference, compareDatabase } from './compare-database.ts'
import { choosePgDumpLike } from './pg-dump-like.ts'

export interface VerifyOptions {
  readonly choices: RestoreChoices
  readonly jobs: number
  readonly environment: Environment
  /** What of it lies beside what was restored and is no matter of it: noted, and no difference. */
  readonly isBeside?: ((difference: Difference) => boolean) | undefined
  readonly onNote: (note: string) => void
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Reads everything out of a database that a whole backup was restored into, as a proof does, and holds it against the
 * manifest. What the choices have changed on purpose is not compared. Throws `proof-refuted` with what differs.
 */
export async function verifyRestored(
  reader: RepositoryReader,
  manifest: Manifest,
  target: ConnectionTarget,
  serverVersionNumber: number,
  options: VerifyOptions,
): Promise<Comparison> {
  const { choices, onNote } = options
  const texts = await readBackupTexts(reader, manifest, options)
  const pgDump = await choosePgDumpLike(manifest, Math.floor(serverVersionNumber / 10000), options)
  const owners = !choices.noOwner && !choices.noPrivileges && choices.roleMap.size === 0
  if (!owners) onNote('owners and privileges were not compared: they are not meant to be the same')
  const comparison = await compareDatabase(target, manifest, {
    ...options,
    schema: pgDump && texts.schema ? { pgDump, ...texts.schema } : undefined,
    tablespaces: !choices.noTablespaces,
    owners,
    largeObjects: texts.largeObjects,
  })
  for (const note of comparison.notes) onNote(note)
  const isBeside = options.isBeside ?? (() => false)
  const differences = comparison.differences.filter((difference) => !isBeside(difference))
  for (const { object, problem } of comparison.differences.filter(isBeside)) {
    onNote(`${object} ${problem}: it belongs to somebody else, and stayed`)
  }
  const [first, ...others] = differences
  if (!first) return comparison
  const more = others.length === 0 ? '' : `, and ${others.length} other differences`
  throw new AppError(
    'proof-refuted',
    `what was restored is not what was backed up: ${first.object} ${first.problem}${more}`,
    {
      hint: 'take another backup: "pgrevive list" shows which are proven; "pgrevive check --level content" finds damage in this one',
    },
  )
}
