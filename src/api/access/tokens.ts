import { ulid } from 'ulid'
import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import type { Clock } from '../../service/clock.ts'
import type { State } from '../../service/state/state.ts'
import type { IssuedToken, Token } from '../../shapes/access.ts'
import { type Scope, role, roles, scope } from '../../shapes/common.ts'
import { hashOf, newSecret } from './secrets.ts'

/** Found by those who search texts for secrets. */
const prefix = 'pgrevive_'
/** The moment of the last use is not written more often. */
const useEveryMs = 60_000
const dayMs = 24 * 3600 * 1000

const scopes = z.string().transform((text) => z.array(scope).parse(JSON.parse(text)))
const row = z.object({
  id: z.string(),
  name: z.string(),
  scopes,
  by: z.string(),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
  lastUsedAt: z.string().nullable(),
})
const columns = `token.id, token.name, token.scopes, user.email as by, token.created_at as createdAt,
  token.expires_at as expiresAt, token.last_used_at as lastUsedAt`
const usedRow = row.extend({ user: z.string(), role, disabled: z.number() })

/** What programs sign in with. None can do more than who made it can do at that moment. */
export class Tokens {
  readonly #state: State
  readonly #clock: Clock

  constructor(state: State, clock: Clock) {
    this.#state = state
    this.#clock = clock
  }

  list(): Token[] {
    return this.#state.all(row, `select ${columns} from token join user on user.id = created_by order by token.id desc`)
  }

  issue(
    wanted: { name: string; scopes: readonly Scope[]; expiresInDays?: number | undefined },
    by: { user: string; scopes: ReadonlySet<Scope> },
  ): IssuedToken {
    const lacking = wanted.scopes.filter((one) => !by.scopes.has(one))
    if (lacking.length > 0) {
      throw new AppError('access-denied', `you can not give a token the scope ${lacking.join(', ')}`, {
        hint: 'a token can do at most what you can do',
      })
    }
    const now = this.#clock.now()
    const secret = `${prefix}${newSecret()}`
    const id = ulid(now.getTime())
    const { expiresInDays } = wanted
    this.#state.change(
      `insert into token (id, name, hash, scopes, created_by, created_at, expires_at)
       values (:id, :name, :hash, :scopes, :by, :now, :expires)`,
      {
        id,
        name: wanted.name,
        hash: hashOf(secret),
        scopes: JSON.stringify([...new Set(wanted.scopes)]),
        by: by.user,
        now: now.toISOString(),
        expires: expiresInDays === undefined ? null : new Date(now.getTime() + expiresInDays * dayMs).toISOString(),
      },
    )
    const token = this.list().find((one) => one.id === id)
    if (!token) throw new Error('a token was not written')
    return { token, secret }
  }

  /** Throws `not-found`. */
  revoke(id: string): Token {
    const token = this.list().find((one) => one.id === id)
    if (!token) throw new AppError('not-found', 'there is no such token', { hint: 'it may have been revoked already' })
    this.#state.change('delete from token where id = :id', { id })
    return token
  }

  /** Whom a secret stands for, while it does. */
  find(secret: string): { id: string; name: string; user: string; scopes: Set<Scope> } | undefined {
    const found = this.#state.first(
      usedRow,
      `select ${columns}, user.id as user, user.role, user.disabled + user.roleWithdrawn as disabled from token join user on user.id = created_by
       where hash = :hash`,
      { hash: hashOf(secret) },
    )
    const now = this.#clock.now()
    if (!found || found.disabled > 0) return undefined
    if (found.expiresAt !== null && found.expiresAt <= now.toISOString()) return undefined
    if (found.lastUsedAt === null || now.getTime() - Date.parse(found.lastUsedAt) >= useEveryMs) {
      const { id } = found
      this.#state.change('update token set last_used_at = :now where id = :id', { id, now: now.toISOString() })
    }
    const allowed: readonly Scope[] = roles[found.role]
    return { ...found, scopes: new Set(found.scopes.filter((one) => allowed.includes(one))) }
  }
}
