import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { AppError } from '../../core/app-error.ts'
import type { CommandContext } from '../command-context.ts'

type PassphraseSource = Pick<CommandContext, 'environment' | 'currentDirectory' | 'terminal' | 'signal'>

/**
 * The passphrase from the variable (PGREVIVE_PASSPHRASE unless named), the first line of the file that the variable with
 * _FILE behind it names, or a person at a terminal, who is asked without echo (twice with `confirm`). Undefined when none of them is there. Throws `key-invalid` for an empty
 * one or two that differ, `key-missing` for a file that can not be read, `interrupted`.
 */
export async function readPassphrase(
  source: PassphraseSource,
  options: {
    prompt: string
    confirm?: boolean
    variable?: 'PGREVIVE_PASSPHRASE' | 'PGREVIVE_NEW_PASSPHRASE' | 'PGREVIVE_DUMP_PASSPHRASE'
  },
): Promise<string | undefined> {
  const { environment, terminal } = source
  const { variable = 'PGREVIVE_PASSPHRASE' } = options
  const given = environment[variable]
  if (given !== undefined) return accept(given, variable)
  const file = environment[`${variable}_FILE`]
  if (file !== undefined && file !== '')
    return accept(await readFirstLine(resolve(source.currentDirectory, file)), file)
  if (!terminal.interactive) return undefined
  const prompts = options.confirm === true ? [options.prompt, 'again'] : [options.prompt]
  const [answer = '', again = answer] = await ask(prompts, source)
  const passphrase = accept(answer, 'the passphrase')
  if (again !== passphrase) throw new AppError('key-invalid', 'the two passphrases differ')
  return passphrase
}

function accept(passphrase: string, origin: string): string {
  if (passphrase !== '') return passphrase
  throw new AppError('key-invalid', `${origin} is empty`)
}

async function readFirstLine(path: string): Promise<string> {
  try {
    const content = await readFile(path, 'utf8')
    return content.split(/\r?\n/, 1)[0] ?? ''
  } catch (cause) {
    throw new AppError('key-missing', `the passphrase file "${path}" can not be read`, { cause })
  }
}

/** One answer for each prompt. One reader for all, so that what is typed ahead is not lost. */
async function ask(prompts: readonly string[], { terminal, signal }: PassphraseSource): Promise<string[]> {
  signal.throwIfAborted()
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: terminal.stdin, output: silence, terminal: true, historySize: 0 })
  const answers: string[] = []
  const showPrompt = () => terminal.printError(`${prompts[answers.length]}: `)
  try {
    return await new Promise<string[]>((resolve, refuse) => {
      // Without echo the terminal hands Ctrl-C over as a key instead of sending a signal.
      const stop = () => refuse(new AppError('interrupted', 'stopped while waiting for the passphrase'))
      lines.on('SIGINT', stop).on('close', stop)
      lines.on('line', (line) => {
        if (answers.push(line) === prompts.length) return resolve(answers)
        terminal.printError('\n')
        showPrompt()
      })
      signal.addEventListener('abort', stop, { once: true })
      showPrompt()
    })
  } finally {
    lines.close()
    terminal.printError('\n')
  }
}
