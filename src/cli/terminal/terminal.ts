import type { Readable, Writable } from 'node:stream'
import { type Palette, createPalette, wantsColor } from './color.ts'
import type { Environment } from '../../postgres/target/connection-target.ts'

export interface TerminalStreams {
  readonly stdin: Readable & { readonly isTTY?: boolean }
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number }
  readonly stderr: Writable & { readonly isTTY?: boolean; readonly columns?: number }
}

export type Level = 'info' | 'warning' | 'error'
type Record = (text: string, level: Level) => void

export interface TerminalOptions {
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose?: boolean
  readonly colorRefused: boolean
  /** Whoever began this hears what is recorded: warnings need not be on stderr, too. */
  readonly isHeard?: boolean
  readonly environment: Environment
}

/**
 * The two output streams and who may write to which. stdout carries results: text, or with `--json` exactly one
 * document. stderr carries warnings, errors and progress. A reader of stdout that goes away (`| head`) ends the output
 * and not the work.
 */
export class Terminal {
  readonly json: boolean
  readonly quiet: boolean
  /** What hooks print is seen, too, on stderr. */
  readonly verbose: boolean
  /** Colours for stdout. */
  readonly colors: Palette
  readonly #streams: TerminalStreams
  readonly #errorColors: Palette
  readonly #redraws: boolean
  #status = ''
  #outFailure: Error | undefined
  #outTaken = false
  readonly #records: Record[] = []
  readonly #isHeard: boolean

  constructor(streams: TerminalStreams, options: TerminalOptions) {
    this.#streams = streams
    this.json = options.json
    this.quiet = options.quiet
    this.verbose = options.verbose ?? false
    this.#isHeard = options.isHeard ?? false
    const colorsOf = (stream: { readonly isTTY?: boolean }) =>
      createPalette({
        colored: wantsColor({
          refused: options.colorRefused,
          terminal: stream.isTTY === true,
          environment: options.environment,
        }),
      })
    this.colors = colorsOf(streams.stdout)
    this.#errorColors = colorsOf(streams.stderr)
    this.#redraws = streams.stderr.isTTY === true && options.environment['TERM'] !== 'dumb'
    streams.stdout.on('error', (error) => (this.#outFailure ??= error))
    // There is nobody left to tell when stderr is gone.
    streams.stderr.on('error', () => undefined)
  }

  get stdin(): TerminalStreams['stdin'] {
    return this.#streams.stdin
  }

  /** For a command whose result is bytes: it prints nothing else there, and tells itself what can not be written. */
  takeStdout(): Writable {
    this.#outTaken = true
    return this.#streams.stdout
  }

  get outputIsTerminal(): boolean {
    return this.#streams.stdout.isTTY === true
  }

  /** Colours for stderr. */
  get errorColors(): Palette {
    return this.#errorColors
  }

  /** Whether a person can be asked: both ends of the conversation are a terminal. */
  get interactive(): boolean {
    return this.#streams.stdin.isTTY === true && this.#streams.stderr.isTTY === true
  }

  /** Whether results go to a person's screen, and not into a file or a log. */
  get outputIsSeen(): boolean {
    return this.outputIsTerminal && !this.json && !this.quiet
  }

  /** Whether `showStatus` redraws one line, else progress is written as plain lines. */
  get redraws(): boolean {
    return this.#redraws
  }

  /** Columns of the terminal behind stderr. */
  get width(): number {
    return this.#streams.stderr.columns || 80
  }

  /** Columns of the terminal behind stdout; Infinity when it is none, or does not know. */
  get outputWidth(): number {
    return (this.outputIsTerminal && this.#streams.stdout.columns) || Infinity
  }

  /** A failure to write to stdout that lost a printed result: a full disk, but not a reader that had enough. */
  get lostOutput(): Error | undefined {
    if (this.#outTaken) return undefined
    return this.#outFailure && 'code' in this.#outFailure && this.#outFailure.code === 'EPIPE'
      ? undefined
      : this.#outFailure
  }

  /** Writes a result to stdout. */
  print(text: string): void {
    if (this.#outFailure === undefined) this.#aroundStatus(() => this.#streams.stdout.write(text))
  }

  /** Tells a person on stdout how it goes; silent with `--json` and `--quiet`. */
  say(text: string): void {
    if (!this.json && !this.quiet) this.print(text)
  }

  /** Writes to stderr, whatever was asked for. */
  printError(text: string): void {
    this.#aroundStatus(() => this.#streams.stderr.write(text))
  }

  /** One warning, printable and without a line break. */
  warn(text: string): void {
    this.record(text, 'warning')
    if (!this.#isHeard) this.printError(`${this.#errorColors.warning('warning')}: ${text}\n`)
  }

  /** From now on, what is recorded goes there, too. */
  recordInto(record: Record): void {
    this.#records.push(record)
  }

  /** For the logs of the run, if there are any. */
  record(text: string, level: Level = 'info'): void {
    for (const record of this.#records) record(text, level)
  }

  /** Draws the line that stays at the bottom until the next one; an empty text removes it. Only when `redraws`. */
  showStatus(line: string): void {
    if (!this.#redraws || line === this.#status) return
    this.#status = line
    this.#streams.stderr.write(`\r${line}\u001b[K`)
  }

  #aroundStatus(write: () => void): void {
    const status = this.#status
    this.showStatus('')
    write()
    this.showStatus(status)
  }

  /** Resolves once both streams have taken what was written. */
  async flush(): Promise<void> {
    const taken = (stream: Writable) => new Promise<void>((resolve) => stream.write('', () => resolve()))
    await Promise.all([taken(this.#streams.stdout), taken(this.#streams.stderr)])
  }
}
