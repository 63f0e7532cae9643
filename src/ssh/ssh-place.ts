import { z } from 'zod'
import { AppError, type ErrorCode } from '../core/app-error.ts'
import { decoded, problemOf } from '../core/url-problem.ts'

/** What a server is logged in to for, which its errors and the variables with secrets are called after. */
export interface SshPurpose {
  readonly untrusted: ErrorCode
  readonly denied: ErrorCode
  readonly failed: ErrorCode
  /** `PGREVIVE_SFTP`: with _PASSWORD, _PASSPHRASE, and _FILE behind these. */
  readonly variables: string
}

export const tunnelPurpose: SshPurpose = {
  untrusted: 'tunnel-untrusted',
  denied: 'tunnel-denied',
  failed: 'tunnel-failed',
  variables: 'PGREVIVE_SSH',
}

/** A server that speaks SSH, and how to log in. */
export interface SshPlace {
  readonly host: string
  readonly port: number
  /** Undefined: the name of whoever runs pgrevive. */
  readonly user: string | undefined
  /** A file with a private key, in place of an agent and the usual files; absolute, or `~/…`. */
  readonly identity: string | undefined
  /** A file with keys of hosts, in place of the usual ones; absolute, or `~/…`. */
  readonly knownHosts: string | undefined
  /** The SHA-256 of the host's key in base64 without `=`, in place of such a file. */
  readonly hostKey: string | undefined
}

export const usualSshPort = 22

const file = z.string().regex(/^(~\/|\/)\P{Cc}+$/u, 'must be an absolute path, or begin with ~/')

/** The parts of a URL that leads to a server. */
export const sshUrlParts = {
  host: z
    .string()
    .regex(/^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)$/i, 'is no name or address')
    .transform((host) => host.toLowerCase()),
  port: z.coerce.number('is no port').int('is no port').min(1, 'is no port').max(65535, 'is no port'),
  user: z
    .string()
    .regex(/^[^\p{Cc}:]*$/u, 'holds a control character or a ":"')
    .transform((user) => (user === '' ? undefined : user)),
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
}

const tunnelUrl = z.object({
  ...sshUrlParts,
  path: z.string().regex(/^(\/\P{Cc}+)?\/?$/u, 'holds a control character'),
})

/** `ssh://user@host:port/path?identity=…`; what the path means is up to who asks. Throws `usage-invalid`, and repeats nothing of it. */
export function parseSshUrl(text: string): { readonly place: SshPlace; readonly path: string | undefined } {
  const invalid = (problems: readonly string[]) =>
    new AppError('usage-invalid', `the ssh:// URL is wrong: ${problems.join('; ')}`, {
      hint: 'write ssh://user@host:port; keys come from the SSH agent, ~/.ssh or ?identity=FILE, a password from PGREVIVE_SSH_PASSWORD_FILE',
    })
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'ssh:') throw invalid(['it does not begin with ssh://, or can not be read as a URL'])
  if (url.password !== '' || url.hash !== '') throw invalid(['it holds a password, or a "#"'])
  const parsed = tunnelUrl.safeParse({
    host: url.hostname,
    port: url.port === '' ? usualSshPort : url.port,
    user: decoded(url.username),
    path: decoded(url.pathname),
    options: Object.fromEntries(url.searchParams),
  })
  if (!parsed.success) throw invalid(parsed.error.issues.map(problemOf))
  const { options, path, host, port, user } = parsed.data
  return {
    place: { host, port, user, identity: options.identity, knownHosts: options.known_hosts, hostKey: options.host_key },
    path: path === '' || path === '/' ? undefined : path,
  }
}
