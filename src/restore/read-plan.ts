import { AppError, hasCode } from '../core/app-error.ts'
import type { ServerGlobals } from '../postgres/catalog/server-globals.ts'
import type { Manifest } from '../repository/backups/manifest.ts'
import { streamNames } from '../repository/backups/manifest-streams.ts'
import { readBackupTexts, readGlobals } from '../repository/backups/open-backup.ts'
import type { RepositoryReader } from '../repository/repository-reader.ts'
import { type RestoreChoices, type RestorePlan, planRestore } from '../repository/backups/restore-plan.ts'
import type { Losses } from './losses.ts'

interface ReadOptions {
  /** Present: what is wanted and lost is entered here, and the rest is planned. */
  readonly losses: Losses | undefined
  readonly signal?: AbortSignal | undefined
}

/** Throws what is wrong with the definitions of tables that are to be made: without them there is nothing to fill. */
export async function readPlan(
  reader: RepositoryReader,
  manifest: Manifest,
  choices: RestoreChoices,
  { losses, signal }: ReadOptions,
): Promise<RestorePlan> {
  if (!losses) return planRestore(manifest, await readBackupTexts(reader, manifest, { signal }), choices)
  const lost = new Map<keyof typeof streamNames, AppError>()
  const texts = await readBackupTexts(reader, manifest, { signal, onLost: (name, error) => lost.set(name, error) })
  const [preData, postData, largeObjects] = [lost.get('preData'), lost.get('postData'), lost.get('largeObjects')]
  if (preData && choices.content !== 'data-only') {
    throw new AppError(preData.code, `${streamNames.preData}: ${preData.message}`, {
      cause: preData.cause,
      hint: 'make the tables otherwise, for example from another backup with --schema-only, and load the rows with --data-only --skip-damaged',
    })
  }
  const plan = planRestore(manifest, texts, choices)
  if (postData && choices.content !== 'data-only') {
    losses.add(streamNames.postData, 'is left out, with all indexes, constraints and triggers', postData)
  }
  if (largeObjects && plan.whole && choices.content !== 'schema-only') {
    losses.add(streamNames.largeObjects, 'are left out, since nothing tells their owners', largeObjects)
  }
  return plan
}

/** The roles of the backup; undefined if they are lost. */
export async function readRoles(
  reader: RepositoryReader,
  manifest: Manifest,
  { losses, signal }: ReadOptions,
): Promise<ServerGlobals | undefined> {
  try {
    return await readGlobals(reader, manifest, { signal })
  } catch (error) {
    if (!losses || !hasCode(error, 'object-damaged', 'object-missing')) throw error
    losses.add(streamNames.globals, 'are left out', error)
    return undefined
  }
}
