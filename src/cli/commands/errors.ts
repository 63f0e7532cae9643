import { z } from 'zod'
import { AppError, errorCodes } from '../../core/app-error.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { formatTable } from '../../core/text/format.ts'
import { text } from '../../config/value-types.ts'
import { printable } from '../../core/text/printable.ts'
import { nearestWord } from '../../core/text/suggestion.ts'

const errorsOptions = z.strictObject({ code: text.optional() })
type ErrorsOptions = z.output<typeof errorsOptions>

async function listErrors({ code }: ErrorsOptions, { terminal }: CommandContext): Promise<Outcome> {
  const errors = Object.entries(errorCodes)
    .filter(([name]) => code === undefined || name === code)
    .map(([name, { exit, meaning }]) => ({ code: name, exit, meaning }))
  if (code !== undefined && errors.length === 0) throw unknownCode(code)
  const columns = [{ title: 'code' }, { title: 'exit', align: 'right' }, { title: 'meaning' }] as const
  const rows = errors.map((error) => [error.code, String(error.exit), error.meaning])
  return {
    document: { errors },
    text: formatTable(columns, rows, { heading: terminal.colors.faint, width: terminal.outputWidth }),
  }
}

function unknownCode(code: string): AppError {
  const near = nearestWord(code, Object.keys(errorCodes))
  return new AppError('usage-invalid', `there is no error code "${printable(code)}"`, {
    hint: near === undefined ? '"pgrevive errors" lists them all' : `did you mean "${near}"?`,
  })
}

export const errorsCommand = defineCommand({
  name: 'errors',
  summary: 'list the error codes and their exit codes',
  description: 'Lists every code that an "error [code]: …" line can carry, with its exit code and its meaning.',
  arguments: [{ key: 'code', name: 'CODE', presence: 'optional', help: 'only this one' }],
  options: [],
  examples: [
    { command: 'pgrevive errors', meaning: 'the whole table' },
    { command: 'pgrevive errors proof-refuted --json', meaning: 'one code, for a script' },
  ],
  schema: errorsOptions,
  run: listErrors,
})
