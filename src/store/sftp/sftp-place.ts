import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { decoded, problemOf } from '../../core/url-problem.ts'
import { type SshPlace, sshUrlParts, usualSshPort } from '../../ssh/ssh-place.ts'

/** A folder of a server that speaks SFTP. */
export interface SftpPlace extends SshPlace {
  readonly kind: 'sftp'
  /** Begins with `/`, or is relative to where a login leads, which `.` stands for; ends in no `/` unless it is that. */
  readonly path: string
}

const urlSchema = z.object({
  ...sshUrlParts,
  path: z
    .string()
    .min(1, 'is missing')
    // restic writes an absolute path with two slashes
    .transform((path) => path.replace(/^\/\//, '/').replace(/(?<=.)\/+$/, ''))
    .refine((path) => !/\/\/|\/\.\.?(\/|$)|\p{Cc}/u.test(path), 'has an empty name, a ".." or a control character')
    .transform((path) => (path === '/~' ? '.' : path.replace(/^\/~\//, ''))),
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
    port: url.port === '' ? usualSshPort : url.port,
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
    `sftp://${user === undefined ? '' : `${encodeURIComponent(user)}@`}${host}${port === usualSshPort ? '' : `:${port}`}` +
    `${rooted.split('/').map(encodeURIComponent).join('/')}${query.length === 0 ? '' : `?${query.join('&')}`}`
  )
}

function fingerprint(hostKey: string | undefined): string | undefined {
  return hostKey === undefined ? undefined : `SHA256:${hostKey}`
}

function invalid(problems: readonly string[]): AppError {
  return new AppError('usage-invalid', `the sftp:// URL of the repository is wrong: ${problems.join('; ')}`, { hint })
}
