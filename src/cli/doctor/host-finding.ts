import type { AppError } from '../../core/app-error.ts'
import type { Finding } from '../../core/finding.ts'
import type { CommandContext } from '../command-context.ts'
import { expected } from '../repositories/repository-access.ts'

/** A finding, and the error that it comes from. */
export interface HostFinding extends Finding {
  readonly error?: AppError
}

export function failed(check: string, error: AppError, remedy = error.hint): HostFinding {
  return { check, answer: error.code, verdict: 'bad', meaning: error.message, error, remedy }
}

/** What is found by asking, or the failure of that. */
export async function orError<Result>(work: Promise<Result>, context: CommandContext): Promise<Result | AppError> {
  try {
    return await work
  } catch (error) {
    return expected(error, context)
  }
}

const toleranceMs = 5000

/** `aheadMs`: how far the other's clock is before ours. */
export function clockFinding(whose: string, aheadMs: number): HostFinding {
  const check = 'clock'
  if (Math.abs(aheadMs) <= toleranceMs)
    return { check, answer: 'same', verdict: 'good', meaning: `this machine and ${whose} agree on the time` }
  return {
    check,
    answer: `${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? 'ahead' : 'behind'}`,
    verdict: 'note',
    meaning: `the clock of ${whose} is not that of this machine: ages and retention go wrong`,
    remedy: 'timedatectl set-ntp true   # on both',
  }
}
