import { readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import ssh2, { type AnyAuthMethod, type AuthHandlerMiddleware, type ParsedKey } from 'ssh2'
import { AppError, messageOf } from '../core/app-error.ts'
import { readSecret } from '../core/read-secret.ts'
import type { SshPlace, SshPurpose } from './ssh-place.ts'
import { type SshSurroundings, expandHome } from './ssh-surroundings.ts'

/** How to log in: by what, in this order, and what was found but is of no use. */
export interface SshLogin {
  readonly user: string
  readonly methods: readonly AnyAuthMethod[]
  /** In words, for an error. */
  readonly offered: readonly string[]
  readonly unusable: readonly string[]
}

/** The files that ssh(1) tries, as far as ssh2 knows their kind. */
const usualIdentities = ['id_ed25519', 'id_ecdsa', 'id_rsa'] as const

/**
 * Finds the SSH agent and identity files, or the identity that the place names alone, and a password. Throws
 * the purpose's `denied` when what is named can not be used.
 */
export async function findLogin(
  place: SshPlace,
  purpose: SshPurpose,
  surroundings: SshSurroundings,
): Promise<SshLogin> {
  const { environment, homeDirectory } = surroundings
  const username = place.user ?? userInfo().username
  const methods: AnyAuthMethod[] = []
  const offered: string[] = []
  const unusable: string[] = []
  const agent = environment['SSH_AUTH_SOCK']
  if (place.identity === undefined && agent !== undefined && agent !== '') {
    methods.push({ type: 'agent', username, agent })
    offered.push('the SSH agent')
  }
  const passphrase = await readSecret(`${purpose.variables}_PASSPHRASE`, environment, purpose.denied)
  const identities = place.identity === undefined ? usualIdentities.map((name) => `~/.ssh/${name}`) : [place.identity]
  for (const identity of identities) {
    const key = await readIdentity(expandHome(identity, homeDirectory), passphrase)
    if (key === undefined) {
      if (place.identity !== undefined) unusable.push(`${identity} (there is no such file)`)
    } else if (typeof key === 'string') {
      unusable.push(`${identity} (${key})`)
    } else {
      methods.push({ type: 'publickey', username, key })
      offered.push(identity)
    }
  }
  const password = await readSecret(`${purpose.variables}_PASSWORD`, environment, purpose.denied)
  if (password !== undefined) {
    methods.push({ type: 'password', username, password })
    methods.push({
      type: 'keyboard-interactive',
      username,
      // what asks for more than a password can not be answered
      prompt: (_name, _instructions, _language, prompts, finish) =>
        finish(prompts.map(({ echo }) => (echo ? '' : password))),
    })
    offered.push('a password')
  }
  return { user: username, methods, offered, unusable }
}

/** Goes through the methods that the server takes. */
export function offerInTurn({ methods }: SshLogin): AuthHandlerMiddleware {
  const left = [...methods]
  return (allowed: readonly string[] | null, _partial, next) => {
    let method = left.shift()
    while (method && allowed && !allowed.includes(method.type === 'agent' ? 'publickey' : method.type))
      method = left.shift()
    // no method is left; ssh2's types do not know this answer, its documentation does
    next(method ?? (false as unknown as AnyAuthMethod))
  }
}

/** The server takes none of them. */
export function refusedLogin(
  place: SshPlace,
  purpose: SshPurpose,
  { user, offered, unusable }: SshLogin,
  cause: unknown,
): AppError {
  const skipped = unusable.length === 0 ? '' : `; not used: ${unusable.join(', ')}`
  return new AppError(
    purpose.denied,
    offered.length === 0
      ? `there is no key or password to log in to ${place.host} as ${user}${skipped}`
      : `${place.host} does not let ${user} in with ${offered.join(', ')}${skipped}`,
    {
      cause,
      hint:
        'check the user, and that its public key is in authorized_keys on the server; keys come from the SSH agent, ~/.ssh or ?identity=FILE ' +
        `(passphrase: ${purpose.variables}_PASSPHRASE_FILE), a password from ${purpose.variables}_PASSWORD_FILE`,
    },
  )
}

/** A private key; why it is of no use; or undefined if there is no such file. */
async function readIdentity(path: string, passphrase: string | undefined): Promise<ParsedKey | string | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    return messageOf(error)
  }
  const parsed: unknown = ssh2.utils.parseKey(text, passphrase)
  const key: unknown = Array.isArray(parsed) ? parsed[0] : parsed
  if (isPrivateKey(key)) return key
  if (!(key instanceof Error)) return 'no private key'
  if (/encrypted/i.test(key.message)) return 'it is encrypted, and no passphrase is given'
  return passphrase === undefined ? 'no private key that is understood' : 'no private key, or the passphrase is wrong'
}

function isPrivateKey(key: unknown): key is ParsedKey {
  return typeof key === 'object' && key !== null && 'isPrivateKey' in key && (key as ParsedKey).isPrivateKey()
}
