import { chmod, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { AppError, messageOf } from '../../core/app-error.ts'

/** Beside pgrevive.yaml. */
const directoryName = 'pgrevive.secrets'
const freshMs = 15 * 60 * 1000

export function secretsDirectory(configFile: string): string {
  return join(dirname(configFile), directoryName)
}

/** As a key of pgrevive.yaml names it: "password_file: pgrevive.secrets/shop". */
export function secretPath(name: string): string {
  return `${directoryName}/${name}`
}

/** Secrets that were entered over the API: written, listed by name, removed, and never given out again. */
export class SecretFiles {
  readonly #directory: string
  /** Who entered which, and when. */
  readonly #entered = new Map<string, { readonly by: string; readonly atMs: number }>()

  constructor(configFile: string) {
    this.#directory = secretsDirectory(configFile)
  }

  /** Paths of those that somebody has entered within the last minutes. */
  freshOf(user: string): Set<string> {
    const since = Date.now() - freshMs
    const own = [...this.#entered].filter(([, { by, atMs }]) => by === user && atMs >= since)
    return new Set(own.map(([name]) => join(this.#directory, name)))
  }

  async names(): Promise<string[]> {
    try {
      const found = await readdir(this.#directory, { withFileTypes: true })
      return found
        .filter((entry) => entry.isFile() && isSecretName(entry.name))
        .map(({ name }) => name)
        .toSorted()
    } catch (error) {
      if (isMissing(error)) return []
      throw refused(error, this.#directory)
    }
  }

  /** Only its first line counts where it is read; so there is one. `by`: who enters it. */
  async write(name: string, secret: string, by: string): Promise<void> {
    if (!isSecretName(name))
      throw new AppError('usage-invalid', 'the name of a secret must be letters, digits, ".", "_" and "-"')
    if (/[\r\n\0]/.test(secret)) throw new AppError('usage-invalid', 'a secret must be one line')
    try {
      await mkdir(this.#directory, { mode: 0o700, recursive: true })
      // Somebody may have put a link there, which leads elsewhere.
      if (!(await lstat(this.#directory)).isDirectory()) throw new Error('it is no directory')
      await chmod(this.#directory, 0o700)
      const temporary = join(this.#directory, `.${randomBytes(6).toString('hex')}`)
      try {
        await using handle = await open(temporary, 'wx', 0o600)
        await handle.writeFile(`${secret}\n`)
        await handle.sync()
        await rename(temporary, join(this.#directory, name))
        this.#entered.set(name, { by, atMs: Date.now() })
      } finally {
        await rm(temporary, { force: true })
      }
    } catch (error) {
      throw refused(error, this.#directory)
    }
  }

  /** A name that no secret has yet: `wish`, or with a number behind it. */
  async freeName(wish: string): Promise<string> {
    const taken = new Set(await this.names())
    const plain =
      wish
        .replaceAll(/[^\w.-]/g, '_')
        .replace(/^[^A-Za-z0-9]+/, '')
        .slice(0, 80) || 'secret'
    for (let number = 1; ; number++) {
      const name = number === 1 ? plain : `${plain}-${number}`
      if (!taken.has(name)) return name
    }
  }

  /** Throws `not-found`. */
  async remove(name: string): Promise<void> {
    if (!(await this.names()).includes(name)) throw new AppError('not-found', 'there is no such secret')
    await this.drop(name)
  }

  /** It need not be there. */
  async drop(name: string): Promise<void> {
    await rm(join(this.#directory, name), { force: true })
    this.#entered.delete(name)
  }
}

/** Whether a text of pgrevive.yaml names a secret, and not only one whose name goes on behind it. */
export function namesSecret(text: string, name: string): boolean {
  return [...text.matchAll(/pgrevive\.secrets\/([\w.-]+)/g)].some(([, named]) => named === name)
}

export function isSecretName(name: string): boolean {
  return /^[A-Za-z0-9][\w.-]{0,99}$/.test(name)
}

function refused(error: unknown, directory: string): AppError {
  return new AppError('config-invalid', `secrets can not be kept in ${directory}: ${messageOf(error)}`, {
    cause: error,
    hint: 'it must be a directory that the service can write to, beside pgrevive.yaml; nothing was changed',
  })
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
