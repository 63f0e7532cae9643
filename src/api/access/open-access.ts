import { z } from 'zod'
import type { Clock } from '../../service/clock.ts'
import type { State } from '../../service/state/state.ts'
import { Attempts } from './attempts.ts'
import { Audit } from './audit.ts'
import { type Auth, createAuth } from './auth.ts'
import type { OidcProvider } from './oidc.ts'
import { newSecret } from './secrets.ts'
import { Tokens } from './tokens.ts'
import { Users } from './users.ts'
import { Doorman } from './who.ts'

/** All that decides who may do what. */
export interface AccessRoom {
  readonly auth: Auth
  readonly doorman: Doorman
  readonly users: Users
  readonly tokens: Tokens
  readonly attempts: Attempts
  readonly audit: Audit
  readonly oidc: readonly OidcProvider[]
  /** As people reach the service. */
  readonly url: string
}

export interface AccessOptions {
  readonly state: State
  readonly clock: Clock
  readonly url: string
  readonly origins: readonly string[]
  readonly oidc: readonly OidcProvider[]
  readonly log: (text: string) => void
}

export function openAccess(options: AccessOptions): AccessRoom {
  const { state, clock, oidc, url } = options
  const secret = sessionSecret(state)
  const attempts = new Attempts(state, clock)
  const auth = createAuth({ ...options, attempts, secret })
  const tokens = new Tokens(state, clock)
  const users = new Users(state, clock)
  return {
    auth,
    doorman: new Doorman({ state, clock, auth, secret, tokens, users }),
    users,
    tokens,
    attempts,
    audit: new Audit(state, clock),
    oidc,
    url,
  }
}

/** Made once; whoever can read the state can sign in as anybody anyway. */
function sessionSecret(state: State): string {
  state.change("insert into fact (name, value) values ('session-secret', :secret) on conflict (name) do nothing", {
    secret: newSecret(),
  })
  const found = state.first(z.object({ value: z.string() }), "select value from fact where name = 'session-secret'")
  if (!found) throw new Error('the secret of sessions was not written')
  return found.value
}
