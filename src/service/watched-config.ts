import { stat } from 'node:fs/promises'
import { type Config, type ConfigSurroundings, parseConfig, readConfig } from '../config/config.ts'
import { AppError } from '../core/app-error.ts'

/** pgrevive.yaml as it is now, or was when it was right last. */
export class WatchedConfig {
  readonly file: string
  readonly #surroundings: ConfigSurroundings
  #config: Config
  #problem: AppError | undefined
  #seen: string

  private constructor(file: string, surroundings: ConfigSurroundings, config: Config, seen: string) {
    this.file = file
    this.#surroundings = surroundings
    this.#config = config
    this.#seen = seen
  }

  /** A file that is not there is an empty one. Rejects with `config-invalid`. */
  static async open(file: string, surroundings: ConfigSurroundings): Promise<WatchedConfig> {
    const seen = await signOf(file)
    const config = seen === missing ? parseConfig('', { ...surroundings, file }) : await readConfig(file, surroundings)
    return new WatchedConfig(file, surroundings, config, seen)
  }

  get current(): Config {
    return this.#config
  }

  /** Why what the file says now is not what counts. */
  get problem(): AppError | undefined {
    return this.#problem
  }

  /** Takes what has changed since the last look, if it is right; whether anything is otherwise now. */
  async look(): Promise<boolean> {
    const seen = await signOf(this.file)
    if (seen === this.#seen) return false
    this.#seen = seen
    try {
      this.#config = await readConfig(this.file, this.#surroundings)
      this.#problem = undefined
    } catch (error) {
      if (!(error instanceof AppError)) throw error
      this.#problem = error
    }
    return true
  }
}

const missing = 'missing'

/** Changes whenever the file does. */
async function signOf(file: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(file)
    return [ino, size, mtimeMs, ctimeMs].join(' ')
  } catch {
    return missing // whatever keeps it from being seen keeps it from being read, which tells
  }
}
