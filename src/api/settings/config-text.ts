import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readFile, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type Document, parseDocument } from 'yaml'
import { type Config, type ConfigSurroundings, parseConfig } from '../../config/config.ts'
import { AppError, messageOf } from '../../core/app-error.ts'
import type { SettingsText } from '../../shapes/service.ts'
import { OneByOne } from '../one-by-one.ts'
import { parseTree, valueAt } from './config-tree.ts'
import { guardChange, refuse } from './guard-change.ts'
import { namedSecrets, redirectedBySecret } from './guard-secrets.ts'
import { type SecretFiles, namesSecret, secretPath } from './secret-files.ts'

export interface ConfigTextOptions extends ConfigSurroundings {
  /** pgrevive.yaml, which need not be there. */
  readonly file: string
  /** What the API may connect to; rejects with `address-refused`. */
  readonly reach: (host: string) => Promise<unknown>
  /** Has the service take a change at once. */
  readonly onChange: () => Promise<void>
  readonly secrets: SecretFiles
  /** Of the service. */
  readonly stateDirectory: string
}

export interface ChangeOptions {
  /** Paths of secrets that whoever asks has just entered, and may name. */
  readonly fresh?: ReadonlySet<string>
}

type Edit = (document: Document) => void

/**
 * pgrevive.yaml, as the API reads and changes it: one change after the other, each of the text as it is at that moment,
 * so that comments stay and nothing that somebody else has written meanwhile is lost.
 */
export class ConfigText {
  readonly #options: ConfigTextOptions
  readonly #turns = new OneByOne()

  constructor(options: ConfigTextOptions) {
    this.#options = options
  }

  get directory(): string {
    return dirname(this.#options.file)
  }

  async read(): Promise<SettingsText> {
    const text = await this.#text()
    return { file: this.#options.file, text, revision: revisionOf(text) }
  }

  /** Throws `config-invalid` with every problem. */
  understand(text: string): Config {
    return parseConfig(text, this.#options)
  }

  /** The whole text; throws `request-conflict` if it is not a change of the one that lies there. */
  async replace(text: string, revision: string, change: ChangeOptions = {}): Promise<SettingsText> {
    return this.#change((before) => {
      if (revisionOf(before) !== revision) throw outdated()
      return text
    }, change)
  }

  /** A part of it; `edit` changes the document, comments and all, and may throw. */
  async edit(edit: Edit, change: ChangeOptions = {}): Promise<SettingsText> {
    return this.#change((before) => edited(before, edit), change)
  }

  /** Throws whatever `edit` would. */
  async tryEdit(edit: Edit, change: ChangeOptions = {}): Promise<void> {
    const before = await this.#text()
    await this.check(before, edited(before, edit), change)
  }

  /** Throws `change-refused` for a URL that secrets beside it, which are not entered anew, would be sent to. */
  async enterSecret(name: string, secret: string, by: string): Promise<void> {
    await this.#turns.run(async () => {
      const { file, secrets } = this.#options
      const entered = { file, fresh: secrets.freshOf(by) }
      refuse(redirectedBySecret(parseTree(await this.#text()), join(dirname(file), secretPath(name)), entered), entered)
      await secrets.write(name, secret, by)
    })
  }

  /** What stands at a place of the file. */
  async value(path: readonly string[]): Promise<unknown> {
    return valueAt(parseTree(await this.#text()), path)
  }

  /** Throws for what the API may not change, and what is wrong; nothing is written. */
  async check(before: string, after: string, { fresh = new Set() }: ChangeOptions = {}): Promise<Config> {
    const config = this.understand(after)
    await guardChange(before, after, {
      ...this.#options,
      fresh,
      // which no change over the API can have changed
      repositoryDirectories: config.service.repositoryDirectories,
    })
    return config
  }

  async #change(make: (before: string) => string, change: ChangeOptions): Promise<SettingsText> {
    return this.#turns.run(async () => {
      const before = await this.#text()
      const after = make(before)
      if (after !== before) {
        await this.check(before, after, change)
        await this.#write(before, after)
        await this.#options.onChange()
        await this.#dropSecrets(before, after)
      }
      return { file: this.#options.file, text: after, revision: revisionOf(after) }
    })
  }

  /** Removes those that are named no more. */
  async #dropSecrets(before: string, after: string): Promise<void> {
    const { file, secrets } = this.#options
    const [old, young] = [before, after].map((text) => namedSecrets(parseTree(text), file))
    const dropped = [...(old ?? [])].filter((path) => !young?.has(path)).map((path) => basename(path))
    // a hook may name it, too
    const unused = dropped.filter((name) => !namesSecret(after, name))
    await Promise.all(unused.map((name) => secrets.drop(name)))
  }

  /** Of a file that is not there, none. */
  async #text(): Promise<string> {
    try {
      return await readFile(this.#options.file, 'utf8')
    } catch (cause) {
      if (isMissing(cause)) return ''
      throw new AppError('config-invalid', `pgrevive.yaml can not be read: ${messageOf(cause)}`, { cause })
    }
  }

  /** All of it or nothing, whatever happens; a link stays one. */
  async #write(before: string, after: string): Promise<void> {
    const file = await realpath(this.#options.file).catch((error: unknown) => {
      if (isMissing(error)) return this.#options.file
      throw error
    })
    const temporary = join(dirname(file), `.pgrevive.yaml.${randomBytes(6).toString('hex')}`)
    try {
      await mkdir(dirname(file), { recursive: true })
      await using handle = await open(temporary, 'wx', 0o600)
      await handle.writeFile(after)
      await handle.sync()
      // An editor may have written it since; between this look and the next line no person does.
      if ((await this.#text()) !== before) throw outdated()
      await rename(temporary, file)
    } catch (error) {
      await rm(temporary, { force: true })
      if (error instanceof AppError) throw error
      throw new AppError('config-invalid', `pgrevive.yaml can not be written: ${messageOf(error)}`, {
        cause: error,
        hint: `the service must be able to make files in ${dirname(file)}; nothing was changed`,
      })
    }
  }
}

function edited(before: string, edit: Edit): string {
  const document = parseDocument(before, { uniqueKeys: false })
  if (document.errors.length > 0) {
    throw new AppError('config-invalid', 'pgrevive.yaml can not be read as YAML, and is not changed', {
      hint: 'mend it first; GET /api/settings shows its text',
    })
  }
  edit(document)
  return document.toString({ lineWidth: 0 })
}

function revisionOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function outdated(): AppError {
  return new AppError('request-conflict', 'pgrevive.yaml has changed since, and nothing was written', {
    hint: 'read it again, and make the change in what it says now',
  })
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
