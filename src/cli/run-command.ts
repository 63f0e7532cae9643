import { AppError, errorCodes, hasCode, messageOf } from '../core/app-error.ts'
import type { Outcome } from './define-command.ts'
import { errorDocument, errorText } from './terminal/error-text.ts'
import type { Terminal } from './terminal/terminal.ts'

/**
 * Runs a command to its exit code: the only place where an outcome becomes output and an error becomes text. With
 * `--json` stdout receives exactly one document, `{"error": {code, message, hint?}}` added to it when the command failed.
 */
export async function runCommand(
  command: () => Promise<Outcome>,
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
): Promise<number> {
  try {
    const { document, text, failure, exitCode = 0 } = await command()
    if (!terminal.json) terminal.print(text)
    if (text !== '') terminal.record(text)
    return reportFailure(failure, document, terminal) || exitCode
  } catch (error) {
    // Whatever broke after a signal broke because of it; a command may say itself what that means.
    const isBySignal = signal.aborted && !hasCode(error, 'interrupted')
    return reportFailure(isBySignal ? signal.reason : error, {}, terminal)
  }
}

/** Says what failed and returns its exit code, 0 if nothing did. */
function reportFailure(thrown: unknown, document: Outcome['document'], terminal: Terminal): number {
  const error = withoutCleanUp(thrown, terminal)
  if (terminal.json) {
    const whole = error === undefined ? document : { ...document, error: errorDocument(error) }
    terminal.print(`${JSON.stringify(whole, bigintAsText, 2)}\n`)
  }
  if (error === undefined) return 0
  terminal.record(errorText(error, terminal.errorColors), 'error')
  const expected = error instanceof AppError
  // A bug is told to people as well, whoever reads stdout: the stack belongs into a report.
  if (!terminal.json || !expected) terminal.printError(errorText(error, terminal.errorColors))
  return expected ? errorCodes[error.code].exit : 1
}

/** A clean-up that failed behind an error hides it in a SuppressedError; the error comes first, and the clean-up is a warning. */
function withoutCleanUp(thrown: unknown, terminal: Terminal): unknown {
  if (!(thrown instanceof Error && thrown.name === 'SuppressedError' && 'suppressed' in thrown)) return thrown
  if ('error' in thrown) terminal.warn(`what was begun could not be cleaned up: ${messageOf(thrown.error)}`)
  return withoutCleanUp(thrown.suppressed, terminal)
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value
}
