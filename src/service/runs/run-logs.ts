import { closeSync, mkdirSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { type LogLine, logLine } from '../../shapes/run.ts'

const keptLogs = 2000
/** A hook can say a great deal. */
const mostLines = 20_000
const longestText = 8000
const logName = /^([0-9A-Z]{26})\.jsonl$/

/** What runs said, a file of JSON lines each; only the service's user can read them. */
export class RunLogs {
  readonly #directory: string

  constructor(stateDirectory: string) {
    this.#directory = join(stateDirectory, 'runs')
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
  }

  /** Goes on with what is there. */
  open(run: string, onFault: (error: unknown) => void): OpenRunLog {
    return new OpenRunLog(this.#path(run), onFault)
  }

  /** From the first line to the last that there is; nothing if the log is gone. */
  async *read(run: string): AsyncGenerator<LogLine> {
    await using file = await open(this.#path(run)).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      throw error
    })
    if (!file) return
    for await (const text of file.readLines({ autoClose: false })) {
      const line = parseLine(text)
      if (line) yield line
    }
  }

  /** Only the newest stay. */
  tidy(): void {
    const logs = readdirSync(this.#directory).filter((name) => logName.test(name))
    for (const name of logs.toSorted().slice(0, -keptLogs)) rmSync(join(this.#directory, name), { force: true })
  }

  #path(run: string): string {
    return join(this.#directory, `${run}.jsonl`)
  }
}

/** One that is written to. Where it can not be, which is told once, the run goes on without it. */
export class OpenRunLog implements Disposable {
  readonly #onFault: (error: unknown) => void
  #file: number | undefined
  #lines = 0

  constructor(path: string, onFault: (error: unknown) => void) {
    this.#onFault = onFault
    this.#try(() => (this.#file = openSync(path, 'a', 0o600)))
  }

  /** Returns the line as it is to be kept, or undefined when there were too many. */
  write(line: LogLine): LogLine | undefined {
    if (++this.#lines > mostLines) return undefined
    const isLast = this.#lines === mostLines
    const text = isLast ? 'what it said further is left out' : line.text.slice(0, longestText).toWellFormed()
    const kept: LogLine = { ...line, text }
    const file = this.#file
    if (file !== undefined) this.#try(() => writeSync(file, `${JSON.stringify(kept)}\n`))
    return kept
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
  }

  #try(work: () => void): void {
    try {
      work()
    } catch (error) {
      this[Symbol.dispose]()
      this.#onFault(error)
    }
  }
}

/** The last one may have been cut off. */
function parseLine(text: string): LogLine | undefined {
  try {
    return logLine.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
