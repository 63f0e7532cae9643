import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { decoded, problemOf } from '../place-url.ts'

/** A folder of a server that speaks SFTP. */
export interface SftpPlace {
  readonly kind: 'sftp'
  readonly host: string
  readonly port: number
  /** Undefined: the name of whoever runs pgrevive. */
  readonly user: string | undefined
  /** Begins with `/`, or is relative to where a login leads, which `.` stands for; ends in no `/` unless it is that. */
  readonly path: string
  /** A file with a private key, in place of an agent and the usual files; absolute, or `~/…`. */
  readonly identity: string | undefined
  /** A file with keys of hosts, in place of the usual ones; absolute, or `~/…`. */
  readonly knownHosts: string | undefined
  /** The SHA-256 of the host's key in base64 without `=`, in place of such a file. */
  readonly hostKey: string | undefined
}

const usualPort = 22

const file = z.string().regex(/^(~\/|\/)\P{Cc}+$/u, 'must be an absolute path, or begin with ~/')

const urlSchema = z.object({
  host: z
    .string()
    .regex(/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)$/i, 'is no name or address')
    .transform((host) => host.toLowerCase()),
  port: z.coerce.number('is no port').int('is no port').min(1, 'is no port').max(65535, 'is no port'),
  user: z
    .string()
    .regex(/^[^\p{Cc}:]*$/u, 'holds a control character or a ":"')
    .transform((user) => (user === '' ? undefined : user)),
  path: z
    .string()
    .min(1, 'is missing')
    // restic writes an absolute path with two slashes
    .transform((path) => path.replace(/^\/\//, '/').replace(/(?<=.)\/+$/, ''))
    .refine((path) => !/\/\/|\/\.\.?(\/|$)|\p{Cc}/u.test(path), 'has an empty name, a ".." or a control character')
    .transform((path) => (path === '/~' ? '.' : path.replace(/^\/~\//, ''))),
  options: z.strictObject({
    identity: file.optional(),
    known_hosts: file.optional(),
    host_key: z
      .string()
      .transform((text) => text.replaceAll(' ', '+')) // what a query makes of it
      .pipe(z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}=?$/, 'must be SHA256:…, as ssh-keygen -l prints it'))
      .transform((text) => text.slice('SHA256:'.length, 'SHA256:'.length + 43))
      .optional(),
  }),
})

const hint =
  'write sftp://user@host:port/path, or sftp://user@host/~/path for one in the home directory; keys come from the SSH agent, ' +
  '~/.ssh or ?identity=FILE, a password from PGREVIVE_SFTP_PASSWORD or PGREVIVE_SFTP_PASSWORD_FILE'

/** Throws `usage-invalid`, without what the URL holds: it may be a secret that somebody wrote there. */
export function parseSftpPlace(text: string): SftpPlace {
  if (!URL.canParse(text)) throw invalid(['it can not be read as a URL'])
  const url = new URL(text)
  if (url.password !== '' || url.hash !== '')
    throw invalid(['it holds a password, or a "#"; who can list processes sees them'])
  const parsed = urlSchema.safeParse({
    host: url.hostname,
    port: url.port === '' ? usualPort : url.port,
    user: decoded(url.username),
    path: decoded(url.pathname),
    options: Object.fromEntries(url.searchParams),
  })
  if (!parsed.success) throw invalid(parsed.error.issues.map(problemOf))
  const { options, ...place } = parsed.data
  return {
    kind: 'sftp',
    ...place,
    identity: options.identity,
    knownHosts: options.known_hosts,
    hostKey: options.host_key,
  }
}

/** The URL of a place, which `parseSftpPlace` reads as the same. */
export function formatSftpPlace(place: SftpPlace): string {
  const { host, port, user, path } = place
  const rooted = path === '.' ? '/~' : path.startsWith('/') ? path : `/~/${path}`
  const options = { identity: place.identity, known_hosts: place.knownHosts, host_key: fingerprint(place.hostKey) }
  const query = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}=${encodeURIComponent(value).replaceAll('%2F', '/').replaceAll('%3A', ':')}`,
  )
  return (
    `sftp://${user === undefined ? '' : `${encodeURIComponent(user)}@`}${host}${port === usualPort ? '' : `:${port}`}` +
    `${rooted.split('/').map(encodeURIComponent).join('/')}${query.length === 0 ? '' : `?${query.join('&')}`}`
  )
}

function fingerprint(hostKey: string | undefined): string | undefined {
  return hostKey === undefined ? undefined : `SHA256:${hostKey}`
}

function invalid(problems: readonly string[]): AppError {
  return new AppError('usage-invalid', `the sftp:// URL of the repository is wrong: ${problems.join('; ')}`, { hint })
}
