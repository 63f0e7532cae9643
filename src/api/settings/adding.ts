import { mkdir, readFile, rm } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Document } from 'yaml'
import { AppError, messageOf } from '../../core/app-error.ts'
import { hasCode } from '../../core/app-error.ts'
import { parseConninfo } from '../../postgres/target/conninfo.ts'
import { problem } from '../../shapes/common.ts'
import type { ConnectionTest } from '../../shapes/database.ts'
import { z } from 'zod'
import { type Ask, asAppError } from '../asking/ask.ts'
import type { ConfigText } from './config-text.ts'
import { conninfoProblem } from './guard-places.ts'
import { type SecretFiles, namesSecret, secretPath } from './secret-files.ts'

/** A database as somebody enters it, with its password apart. */
export interface EnteredDatabase {
  readonly conninfo: string
  readonly password: string | undefined
  readonly tunnel: string | undefined
}

const initTimeoutMs = 180_000

/** Takes the password out of a connection string, and refuses what reaches for the machine. Throws before anything is kept. */
export function enteredDatabase(given: {
  url: string
  password?: string | undefined
  tunnel?: string | undefined
}): EnteredDatabase {
  const { url, tunnel } = given
  if (!/^postgres(ql)?:\/\//i.test(url) && !url.includes('=')) {
    throw new AppError('usage-invalid', 'the url is no connection string', {
      hint: 'postgres://user:password@host:5432/database',
    })
  }
  const problem = conninfoProblem(url) ?? (/\$\{\w+\}/.test(url) ? 'it takes a variable of the environment' : undefined)
  if (problem !== undefined) throw refused(problem)
  if (
    tunnel !== undefined &&
    (!tunnel.startsWith('ssh://') || /[?$]/.test(tunnel) || /:\/\/[^@/]*:[^@/]*@/.test(tunnel))
  ) {
    throw refused('a tunnel is ssh://user@host:port, whose key the machine knows, without a password and options')
  }
  const settings = new Map(parseConninfo(url))
  if (settings.get('sslpassword')) throw refused('"sslpassword" opens a file of the machine')
  const inUrl = settings.get('password')
  settings.delete('password')
  const conninfo = withoutPassword(url)
  const left = new Map(parseConninfo(conninfo))
  const isSame = left.size === settings.size && [...settings].every(([key, value]) => left.get(key) === value)
  if (!isSame)
    throw new AppError('usage-invalid', 'the password in the url can not be told from the rest', {
      hint: 'enter it beside the url',
    })
  return { conninfo, password: given.password ?? (inUrl || undefined), tunnel }
}

function withoutPassword(conninfo: string): string {
  if (/^postgres(ql)?:\/\//i.test(conninfo)) {
    const [, scheme = '', authority = '', rest = ''] = /^([a-z]+:\/\/)([^/?#]*)(.*)$/is.exec(conninfo) ?? []
    const at = authority.lastIndexOf('@')
    const user = at < 0 ? undefined : authority.slice(0, at).split(':', 1)[0]
    const query = rest.replaceAll(/([?&])password=[^&#]*(&|(?=#)|$)/gi, (_, before: string, after: string) =>
      after === '&' ? before : '',
    )
    return `${scheme}${user === undefined ? '' : `${user}@`}${authority.slice(at + 1)}${query}`
  }
  return conninfo.replaceAll(/(^|\s)password\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s\\]|\\.)+)/gi, '$1').trim()
}

function refused(why: string): AppError {
  return new AppError('change-refused', `this connection is not taken over the API: ${why}`, {
    hint: 'add it in pgrevive.yaml, which the service takes at once',
  })
}

/** The passwords that the service itself has are not for whatever server somebody names. */
const noPasswords = { PGPASSFILE: '/dev/null/none', PGSERVICE: undefined, PGSERVICEFILE: undefined }

const shown = z.object({
  database: z.string(),
  there: z.boolean(),
  serverVersion: z.string().nullable(),
  bytes: z.number().nullable(),
  tables: z.number().nullable(),
})

/** Connects, and tells what is there. What is wrong with the connection is part of the answer. */
export async function tryDatabase(entered: EnteredDatabase, ask: Ask, signal?: AbortSignal): Promise<ConnectionTest> {
  const { conninfo, password, tunnel } = entered
  const nothing = { serverVersion: null, database: null, bytes: null, tables: null }
  try {
    const words = [...(tunnel === undefined ? [] : [`--tunnel=${tunnel}`]), '--', conninfo]
    const found = shown.parse(
      await ask.ask('show database', words, {
        variables: { ...noPasswords, PGPASSWORD: password },
        ...(signal && { signal }),
      }),
    )
    if (!found.there) {
      throw new AppError('database-missing', `the server has no database ${JSON.stringify(found.database)}`, {
        hint: 'check its name at the end of the url',
      })
    }
    const { serverVersion, database, bytes, tables } = found
    return { ok: true, serverVersion, database, bytes, tables, error: null }
  } catch (error) {
    if (!(error instanceof AppError) || hasCode(error, 'tries-exhausted')) throw error
    const { code, message, hint } = error
    return { ok: false, ...nothing, error: { code, message, ...(hint === undefined ? {} : { hint }) } }
  }
}

/** Keeps a secret under a name of its own, for as long as `use` does not fail. `by`: who enters it. */
export async function keepSecret<Result>(
  { secrets, config, by }: { secrets: SecretFiles; config: ConfigText; by: string },
  { wish, secret }: { wish: string; secret: string },
  use: (path: string) => Promise<Result>,
): Promise<Result> {
  const name = await secrets.freeName(wish)
  await config.enterSecret(name, secret, by)
  try {
    return await use(secretPath(name))
  } catch (error) {
    const { text } = await config.read()
    if (!namesSecret(text, name)) await secrets.drop(name)
    throw error
  }
}

/** Of "list --json" of several. */
const listed = z.object({ failed: z.array(z.object({ repository: z.string(), error: problem.shape.error })) })

/** Throws why a place can not be one more repository: there is none, it can not be opened, or it is one of `known`. */
export async function tryRepository(place: string, known: readonly string[], ask: Ask): Promise<void> {
  await ask.ask('list', ['--limit=1', `--repo=${place}`])
  if (known.length === 0) return
  const words = [...known, place].map((one) => `--repo=${one}`)
  const { failed } = listed.parse(await ask.ask('list', ['--limit=1', ...words], { failureToo: listed }))
  const own = failed.find(({ repository }) => !known.includes(repository))
  if (own) throw asAppError(own.error)
}

/** Makes a repository, and returns its recovery kit, which is nowhere else then. */
export async function initRepository(
  place: string,
  { ask, config }: { ask: Ask; config: ConfigText },
): Promise<string> {
  const folder = join(config.directory, 'pgrevive.secrets')
  const kit = join(folder, `.kit-${randomBytes(6).toString('hex')}`)
  try {
    await mkdir(folder, { mode: 0o700, recursive: true })
    await ask.ask('init', [`--kit=${kit}`, `--repo=${place}`], { timeoutMs: initTimeoutMs })
    return await readFile(kit, 'utf8')
  } catch (error) {
    if (error instanceof AppError) throw error
    throw new AppError('store-failed', `the repository could not be made: ${messageOf(error)}`, { cause: error })
  } finally {
    await rm(kit, { force: true })
  }
}

/** Names one more repository; a single one without a name gets one. */
export function addRepository(document: Document, name: string, place: string): void {
  const only: unknown = document.get('repository', true)
  if (only !== undefined) {
    document.delete('repository')
    document.setIn(['repositories', 'main'], only)
  }
  if (document.hasIn(['repositories', name])) {
    throw new AppError('request-conflict', `there is a repository ${JSON.stringify(name)} already`, {
      hint: 'give this one another name',
    })
  }
  document.setIn(['repositories', name], place)
}
