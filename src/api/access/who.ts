import { z } from 'zod'
import type { Clock } from '../../service/clock.ts'
import type { State } from '../../service/state/state.ts'
import type { User } from '../../shapes/access.ts'
import { type Scope, roles } from '../../shapes/common.ts'
import { type Auth, addressHeader } from './auth.ts'
import { csrfOf } from './secrets.ts'
import type { Tokens } from './tokens.ts'
import type { Users } from './users.ts'

/** Who asks, and what they may do. */
export interface Who {
  /** As the audit log says it: the e-mail address, or "token NAME". */
  readonly name: string
  /** Of the account, also of the one that a token belongs to. */
  readonly user: string
  readonly scopes: ReadonlySet<Scope>
  /** Of somebody at a browser. */
  readonly session: { readonly token: string; readonly csrf: string; readonly user: User } | undefined
}

export interface Identified {
  readonly who: Who | undefined
  /** A token was sent that stands for nobody. */
  readonly badToken: boolean
  /** For the answer: a session that goes on longer. */
  readonly cookies: readonly string[]
}

const nobody: Identified = { who: undefined, badToken: false, cookies: [] }
/** A provider may have withdrawn what it gave: whoever came from there signs in again after so long. */
const ssoMs = 24 * 3600 * 1000
const seenEveryMs = 60_000
const found = z.object({
  session: z.object({ token: z.string(), userId: z.string(), createdAt: z.date() }),
})

/** Finds out who asks, by the token of the request or else by its cookie. */
export class Doorman {
  readonly #options: { state: State; clock: Clock; auth: Auth; secret: string; tokens: Tokens; users: Users }

  constructor(options: { state: State; clock: Clock; auth: Auth; secret: string; tokens: Tokens; users: Users }) {
    this.#options = options
  }

  async identify(headers: Headers, address: string): Promise<Identified> {
    const authorization = headers.get('authorization')
    if (authorization !== null) {
      const who = this.#byToken(authorization)
      return { ...nobody, who, badToken: who === undefined }
    }
    return headers.has('cookie') ? this.#bySession(headers, address) : nobody
  }

  #byToken(authorization: string): Who | undefined {
    const [, secret] = /^Bearer ([\w-]{10,200})$/i.exec(authorization) ?? []
    const token = secret === undefined ? undefined : this.#options.tokens.find(secret)
    return token && { name: `token ${token.name}`, user: token.user, scopes: token.scopes, session: undefined }
  }

  async #bySession(given: Headers, address: string): Promise<Identified> {
    const { auth, secret, clock, users } = this.#options
    const asked = new Headers({ cookie: given.get('cookie') ?? '', [addressHeader]: address })
    const { headers, response } = await auth.api.getSession({ headers: asked, returnHeaders: true })
    const cookies = headers.getSetCookie()
    if (response === null) return { ...nobody, cookies }
    const { session } = found.parse(response)
    const user = users.get(session.userId)
    const ageMs = clock.now().getTime() - session.createdAt.getTime()
    if (user.disabled || (user.viaSso && ageMs > ssoMs)) return { ...nobody, cookies }
    this.#seen(user)
    const who = {
      name: user.email,
      user: user.id,
      scopes: new Set(roles[user.role]),
      session: { token: session.token, csrf: csrfOf(session.token, secret), user },
    }
    return { ...nobody, who, cookies }
  }

  #seen({ id, lastSeenAt }: User): void {
    const { state, clock } = this.#options
    const now = clock.now()
    if (lastSeenAt !== null && now.getTime() - Date.parse(lastSeenAt) < seenEveryMs) return
    state.change('update user set lastSeenAt = :now where id = :id', { now: now.toISOString(), id })
  }
}
