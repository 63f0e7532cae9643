import { AppError, messageOf } from '../../core/app-error.ts'
import { PostgresError } from '../../postgres/wire/postgres-error.ts'
import type { Palette } from './color.ts'
import { printableLines } from '../../core/text/printable.ts'
import { redactPasswords } from '../../core/text/redact-passwords.ts'

/** What the operator reads: the error, the server's details if one spoke, and the next step. Ends in a line break. */
export function errorText(error: unknown, colors: Palette): string {
  if (!(error instanceof AppError)) {
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
    return `${colors.bad('bug')}: ${indented(stack)}\nhint: this should not happen; please report it with the lines above\n`
  }
  const lines = [`${colors.bad(`error [${error.code}]`)}: ${indented(error.message)}`, ...causeLines(error)]
  if (error.hint !== undefined) lines.push(`hint: ${indented(error.hint)}`)
  return lines.map((line) => `${line}\n`).join('')
}

/** The same for `--json`. An unexpected error has the code "bug". */
export function errorDocument(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof AppError)) return { code: 'bug', message: redactPasswords(messageOf(error)) }
  const postgres = postgresCause(error)
  return {
    code: error.code,
    message: redactPasswords(error.message),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(postgres ? { postgres: postgresFields(postgres) } : {}),
  }
}

/** The chain of causes, as far as it adds words to what was said already. */
function causeLines(error: AppError): string[] {
  const said = [error.message, error.hint ?? '']
  const lines: string[] = []
  const add = (label: string, text: string | undefined) => {
    if (text === undefined || text === '' || said.some((words) => words.includes(text))) return
    said.push(text)
    lines.push(`  ${label}: ${indented(text)}`)
  }
  for (const cause of causesOf(error)) {
    add('cause', messageOf(cause))
    if (!(cause instanceof PostgresError)) continue
    add('DETAIL', cause.detail)
    add('HINT', cause.hint)
    add('STATEMENT', cause.internalQuery)
    add('CONTEXT', cause.where)
  }
  return lines
}

function causesOf(error: Error): unknown[] {
  const causes: unknown[] = []
  // Bounded, for a chain that leads back into itself.
  for (let next = error.cause; next !== undefined && causes.length < 10;) {
    causes.push(next)
    next = next instanceof Error ? next.cause : undefined
  }
  return causes
}

function postgresCause(error: AppError): PostgresError | undefined {
  return causesOf(error).find((cause) => cause instanceof PostgresError)
}

function postgresFields(error: PostgresError): Readonly<Record<string, unknown>> {
  const { severity, sqlState, message, detail, hint, internalQuery, where, schema, table, constraint } = error
  return { severity, sqlState, message, detail, hint, internalQuery, where, schema, table, constraint }
}

function indented(text: string): string {
  return printableLines(redactPasswords(text), 2)
}
