import { createInterface } from 'node:readline'
import { Declined } from '../../hooks/open-hooks.ts'
import type { CommandContext } from '../command-context.ts'
import { printable } from '../../core/text/printable.ts'

/**
 * What removes something is only done by who names it: with --confirm, or typed at the terminal when asked. Throws
 * `usage-invalid` for another name, and where there is nobody to ask.
 */
export async function confirmName(
  name: string,
  given: string | undefined,
  { terminal, signal }: Pick<CommandContext, 'terminal' | 'signal'>,
): Promise<void> {
  if (given === undefined && !terminal.interactive) {
    throw new Declined('usage-invalid', `nobody has confirmed what is done to ${JSON.stringify(name)}`, {
      hint: `nothing was changed; add --confirm ${JSON.stringify(name)}, or answer at a terminal`,
    })
  }
  const answer = given ?? (await ask(`type ${printable(name)} to go on: `, { terminal, signal }))
  if (answer === name) return
  throw new Declined('usage-invalid', `${JSON.stringify(answer)} was confirmed, and not ${JSON.stringify(name)}`, {
    hint: 'nothing was changed; look again at what is named',
  })
}

async function ask(
  question: string,
  { terminal, signal }: Pick<CommandContext, 'terminal' | 'signal'>,
): Promise<string> {
  signal.throwIfAborted()
  terminal.printError(question)
  const lines = createInterface({ input: terminal.stdin, terminal: false })
  try {
    return await new Promise<string>((resolve, refuse) => {
      const stop = () => refuse(new Declined('interrupted', 'stopped while waiting for an answer'))
      lines.on('line', (line) => resolve(line.trim())).on('close', stop)
      signal.addEventListener('abort', stop, { once: true })
    })
  } finally {
    lines.close()
  }
}
