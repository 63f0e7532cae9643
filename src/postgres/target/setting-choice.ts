import { AppError } from '../../core/app-error.ts'

/** Throws `connection-invalid` unless `value` is one of `choices`. */
export function checkChoice<Choice extends string>(name: string, value: string, choices: readonly Choice[]): Choice {
  const choice = choices.find((it) => it === value)
  if (choice !== undefined) return choice
  throw new AppError('connection-invalid', `${name} "${value}" is not supported`, {
    hint: `set it to one of ${choices.join(', ')}`,
  })
}
