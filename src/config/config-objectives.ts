import { z } from 'zod'
import type { Objectives } from '../shapes/database.ts'
import { timeSpan, timeSpanMs } from './value-types.ts'

const demanded = z
  .string()
  .refine(
    (text) => text === 'none' || timeSpan.safeParse(text).success,
    'must be none, or a time such as 30m, 24h or 7d',
  )

/** What stands under `objectives:`, for all databases, of a server or of one database. */
export const objectives = z.strictObject({
  rpo: demanded.describe('How old the newest backup may be, or none: 24h, 7d (default: 24h)').optional(),
  prove_every: demanded.describe('How often one of its backups is to be proven, or none (default: 7d)').optional(),
  restore_within: demanded
    .describe('How long a restore may take, as the newest proof did: 30m (default: none)')
    .optional(),
})
export type ObjectivesEntry = z.output<typeof objectives>

export interface ConfiguredObjectives extends Objectives {
  /** Those that pgrevive.yaml names. */
  readonly written: readonly (keyof Objectives)[]
}

/** Each from the first entry that names it: those of a database, of its server, for all. */
export function resolveObjectives(...entries: readonly (ObjectivesEntry | undefined)[]): ConfiguredObjectives {
  const find = (key: keyof ObjectivesEntry) => entries.find((entry) => entry?.[key] !== undefined)?.[key]
  const rpo = find('rpo')
  const proveEvery = find('prove_every')
  const restoreWithin = find('restore_within')
  const written = { rpo, proveEvery, restoreWithin }
  return {
    rpo: timeOf(rpo ?? '24h'),
    proveEvery: timeOf(proveEvery ?? '7d'),
    restoreWithin: timeOf(restoreWithin ?? 'none'),
    written: (['rpo', 'proveEvery', 'restoreWithin'] as const).filter((key) => written[key] !== undefined),
  }
}

function timeOf(text: string): number | null {
  return text === 'none' ? null : timeSpanMs(text)
}
