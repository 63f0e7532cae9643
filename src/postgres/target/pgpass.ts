import { readFile, stat } from 'node:fs/promises'
import { hasErrno } from '../wire/socket-error.ts'

export interface PasswordQuery {
  readonly host: string
  readonly port: number
  readonly database: string
  readonly user: string
}

/** A password file, read once. `ignored` says why libpq would pass it over with a warning, and what to do. */
export interface PasswordFile {
  readonly find: (query: PasswordQuery) => string | undefined
  readonly ignored?: string
}

/** Where libpq looks for sockets by itself: passwords for them stand under "localhost". */
export const defaultSocketDirectories: readonly string[] = ['/var/run/postgresql', '/tmp']

/**
 * Reads a file in the format of `~/.pgpass`. Like libpq's, it is ignored when it is missing, is not a plain file, or may
 * be read by others than its owner.
 */
export async function readPasswordFile(path: string): Promise<PasswordFile> {
  const none = () => undefined
  try {
    const file = await stat(path)
    if (!file.isFile()) return { find: none, ignored: `password file "${path}" was ignored: it is not a plain file` }
    if (process.platform !== 'win32' && (file.mode & 0o077) !== 0) {
      return {
        find: none,
        ignored: `password file "${path}" was ignored because others may read it: chmod 600 it`,
      }
    }
    const text = await readFile(path, 'utf8')
    return { find: (query) => findPassword(text, query) }
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return { find: none }
    if (!hasErrno(error, 'EACCES', 'EPERM', 'EIO', 'ELOOP', 'ENAMETOOLONG')) throw error
    return { find: none, ignored: `password file "${path}" was ignored: it can not be read` }
  }
}

/** The password of the first line that fits. An empty one counts as none. */
export function findPassword(text: string, query: PasswordQuery): string | undefined {
  const hosts = defaultSocketDirectories.includes(query.host) ? ['localhost', query.host] : [query.host]
  const wanted = [hosts, [String(query.port)], [query.database], [query.user]]
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue
    const fields = /^((?:[^:\\]|\\.)*):((?:[^:\\]|\\.)*):((?:[^:\\]|\\.)*):((?:[^:\\]|\\.)*):(.*)$/.exec(line)?.slice(1)
    if (!fields) continue
    const fits = wanted.every(
      (values, index) => fields[index] === '*' || values.includes(unescape(fields[index] ?? '')),
    )
    if (fits) return unescape(fields[4] ?? '') || undefined
  }
  return undefined
}

function unescape(field: string): string {
  return field.replace(/\\(.)/g, '$1')
}
