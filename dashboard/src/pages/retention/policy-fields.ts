import type { RetentionPolicy } from '../../../../src/shapes/repository.ts'

type Counted = 'keep_last' | 'keep_hourly' | 'keep_daily' | 'keep_weekly' | 'keep_monthly' | 'keep_yearly'
export const countedFields: [Counted, string][] = [
  ['keep_last', 'Newest'],
  ['keep_hourly', 'Hourly'],
  ['keep_daily', 'Daily'],
  ['keep_weekly', 'Weekly'],
  ['keep_monthly', 'Monthly'],
  ['keep_yearly', 'Yearly'],
]

/** What is wrong with each field, as it is typed. */
export function wrongIn(policy: RetentionPolicy): { readonly [Field in keyof RetentionPolicy]?: string } {
  const wrong: { [Field in keyof RetentionPolicy]?: string } = {}
  for (const [key] of countedFields) {
    if (!isWhole(policy[key] ?? 0, 0)) wrong[key] = 'A whole number, 0 or more.'
  }
  if (!isWhole(policy.minimum ?? 1, 1)) wrong.minimum = 'A whole number, 1 or more.'
  if (policy.keep_within !== undefined && !/^[1-9]\d*[hdw]$/.test(policy.keep_within)) {
    wrong.keep_within = 'Hours, days or weeks: 36h, 14d, 8w.'
  }
  return wrong
}

const isWhole = (value: number, least: number) => Number.isInteger(value) && value >= least && value <= 10_000

/** Whether it has a rule at all: with one that has none, all backups would be forgotten. */
export const namesSomething = (policy: RetentionPolicy) =>
  policy.keep_within !== undefined || countedFields.some(([key]) => (policy[key] ?? 0) > 0)
