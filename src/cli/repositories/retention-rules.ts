import type { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import type { ForgettingRules } from '../../repository/retention/plan-forgetting.ts'
import { hasRules, type RetentionPolicy } from '../../repository/retention/retention.ts'
import { usualShrinkPercent } from '../../repository/retention/shrinkage.ts'
import type { RepositorySettings } from '../../config/config.ts'
import type { Settings } from '../settings/settings.ts'
import type { CommandOption } from '../define-command.ts'
import { keepWithin, wholeNumber } from '../option-types.ts'

const count = wholeNumber({ min: 0, max: 100_000 }).optional()

/** The policy of the command line, as part of a schema. */
export const policyOptions = {
  keepLast: count,
  keepWithin: keepWithin.optional(),
  keepHourly: count,
  keepDaily: count,
  keepWeekly: count,
  keepMonthly: count,
  keepYearly: count,
  minimum: wholeNumber({ min: 1, max: 100_000 }).optional(),
}

export const policyOptionWords: readonly CommandOption[] = [
  { flags: '--keep-last <N>', help: 'keep the newest N' },
  { flags: '--keep-within <TIME>', help: 'keep all that are at most so much older than the newest: 36h, 14d, 8w' },
  { flags: '--keep-hourly <N>', help: 'keep the newest one each of the N newest hours that have any; by UTC' },
  { flags: '--keep-daily <N>', help: '… of the N newest days' },
  { flags: '--keep-weekly <N>', help: '… of the N newest weeks, which begin on Monday' },
  { flags: '--keep-monthly <N>', help: '… of the N newest months' },
  { flags: '--keep-yearly <N>', help: '… of the N newest years' },
  { flags: '--minimum <N>', help: 'never leave fewer than N of a database (default: 1)' },
]

type PolicyFlags = z.output<z.ZodObject<typeof policyOptions>>

export function namesPolicy(flags: PolicyFlags): boolean {
  return Object.values(policyOf(flags)).some((value) => value !== undefined)
}

function policyOf(flags: PolicyFlags): RetentionPolicy {
  const {
    keepLast,
    keepWithin: keepWithinMs,
    keepHourly,
    keepDaily,
    keepWeekly,
    keepMonthly,
    keepYearly,
    minimum,
  } = flags
  return { keepLast, keepWithinMs, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly, minimum }
}

/**
 * The flags are the policy of every database; without any, pgrevive.yaml says: of the database, else of the repository,
 * else of all. Throws `usage-invalid` if nobody does.
 */
export function retentionRules(
  flags: PolicyFlags,
  { config }: Pick<Settings, 'config'>,
  repository: Pick<RepositorySettings, 'retention'>,
): ForgettingRules {
  const named = policyOf(flags)
  const of = retentionIn({ config }, repository)
  const shrinkPercentOf = (database: string) => of(database)?.shrinkPercent ?? usualShrinkPercent
  if (hasRules(named)) return { policyOf: () => named, shrinkPercentOf }
  if (namesPolicy(flags)) {
    throw noPolicy('the options name nothing to keep, so that all would be forgotten')
  }
  const configured = [
    repository.retention ?? config?.retention,
    ...[...(config?.databases.values() ?? [])].map(({ retention }) => retention),
  ]
  if (!configured.some((retention) => retention && hasRules(retention.policy))) throw noPolicy('no policy is named')
  return { policyOf: (database) => of(database)?.policy, shrinkPercentOf }
}

/** What pgrevive.yaml says of each database in a repository; undefined: everything stays. */
export function configuredRetention(
  settings: Pick<Settings, 'config'>,
  repository: Pick<RepositorySettings, 'retention'>,
): ForgettingRules['policyOf'] {
  return (database) => retentionIn(settings, repository)(database)?.policy
}

function retentionIn({ config }: Pick<Settings, 'config'>, repository: Pick<RepositorySettings, 'retention'>) {
  return (database: string) => config?.databases.get(database)?.retention ?? repository.retention ?? config?.retention
}

function noPolicy(message: string): AppError {
  return new AppError('usage-invalid', message, {
    hint: 'give for example --keep-daily 7 --keep-weekly 5, write "retention:" into pgrevive.yaml, or name the backups to forget',
  })
}
