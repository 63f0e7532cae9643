import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { messageOf } from '../core/app-error.ts'
import { isConninfo } from './databases/database-target.ts'
import { printableLines } from '../core/text/printable.ts'
import { redactPasswords } from '../core/text/redact-passwords.ts'
import { masked, shownConninfo } from './terminal/shown-value.ts'
import { shellWord } from '../core/text/shell-word.ts'

/** Older ones are removed when another one begins. */
const keptLogs = 200
const logName = /^[0-9A-Z]{26}\.log$/

/** What one run said and did, line by line with the time of each; only its user can read it. No failure of it ends a run. */
export class RunLog {
  readonly #onFailure: (text: string) => void
  #file: number | undefined

  /** `onFailure` is called at most once, with what went wrong. */
  constructor(directory: string, run: string, onFailure: (text: string) => void) {
    this.#onFailure = onFailure
    this.#try(directory, () => {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      this.#file = openSync(join(directory, `${run}.log`), 'ax', 0o600)
      const logs = readdirSync(directory).filter((name) => logName.test(name))
      for (const name of logs.toSorted().slice(0, -keptLogs)) rmSync(join(directory, name), { force: true })
    })
  }

  /** Of one line or more, with colours or without. At once, so that a run that is killed has said what it did. */
  write(text: string): void {
    const file = this.#file
    if (file === undefined) return
    const line = printableLines(redactPasswords(stripVTControlCharacters(text.trimEnd())), 2)
    this.#try('the log of this run', () => writeSync(file, `${new Date().toISOString()} ${line}\n`))
  }

  #try(what: string, work: () => void): void {
    try {
      work()
    } catch (error) {
      if (this.#file !== undefined) closeSync(this.#file)
      this.#file = undefined
      this.#onFailure(`${what} can not be written: ${messageOf(error)}`)
    }
  }
}

/** A command line as it may be kept: of a connection string what is no secret, and nothing of what may be a mistyped one. */
export function shownWords(args: readonly string[]): string {
  const shown = args.map((word) => {
    const [, option = '', value = word] = /^(--[a-z][a-z-]*=)(.*)$/s.exec(word) ?? []
    if (isConninfo(value)) return option + shownConninfo(value)
    return value.includes('@') ? option + masked : word
  })
  return shown.map(shellWord).join(' ')
}
