import type { z } from 'zod'
import { AppError } from '../core/app-error.ts'

interface OptionNames {
  readonly name?: string
  readonly arguments?: readonly { readonly key: string; readonly name: string }[]
  readonly options: readonly { readonly flags: string }[]
}

/**
 * Parses raw options; throws `usage-invalid` naming the option as the user wrote it. Values are not repeated in the
 * message unless the schema does so: they may hold secrets.
 */
export function parseOptions<Schema extends z.ZodType>(
  schema: Schema,
  raw: Readonly<Record<string, unknown>>,
  names: OptionNames,
): z.output<Schema> {
  const result = schema.safeParse(raw)
  if (result.success) return result.data
  const problems = result.error.issues.map(({ path, message }) => {
    const key = path[0]?.toString()
    if (key === undefined) return message
    return `${labelOf(key, names)} ${raw[key] === undefined ? 'must be given' : message}`
  })
  throw new AppError('usage-invalid', problems.join('; '), {
    hint: `"pgrevive ${names.name === undefined ? '' : `${names.name} `}--help" explains every option`,
  })
}

function labelOf(key: string, names: OptionNames): string {
  const argument = names.arguments?.find((candidate) => candidate.key === key)
  if (argument) return argument.name
  const option = names.options.find((candidate) => optionKey(candidate.flags) === key)
  return option ? longFlag(option.flags) : key
}

/** `--exclude-table <PATTERN>` → `--exclude-table` */
export function longFlag(flags: string): string {
  return /--[a-z-]+/.exec(flags)?.[0] ?? flags
}

/** `--exclude-table <PATTERN>` → `excludeTable`; `--no-owner` → `owner` */
export function optionKey(flags: string): string {
  return longFlag(flags)
    .replace(/^--(no-)?/, '')
    .replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
