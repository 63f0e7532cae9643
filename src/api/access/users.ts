import { hashPassword } from 'better-auth/crypto'
import { ulid } from 'ulid'
import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import type { Clock } from '../../service/clock.ts'
import type { State } from '../../service/state/state.ts'
import type { User } from '../../shapes/access.ts'
import { role } from '../../shapes/common.ts'
import { hashOf, newSecret } from './secrets.ts'

type Role = z.output<typeof role>

const validMs = 24 * 3600 * 1000
const flag = z.number().transform((value) => value === 1)
const row = z.object({
  id: z.string(),
  name: z.string(),
  email: z.string(),
  role,
  totp: flag,
  viaSso: flag,
  createdAt: z.string(),
  lastSeenAt: z.string().nullable(),
  disabled: flag,
})
const users = `select id, name, email, role, coalesce(twoFactorEnabled, 0) as totp, createdAt, lastSeenAt, disabled,
  exists (select 1 from account where userId = user.id and providerId <> 'credential') as viaSso from user`
const link = z.object({ hash: z.string(), expiresAt: z.string() })

/** Accounts as an admin sees them, and the links that make the first one and set passwords. */
export class Users {
  readonly #state: State
  readonly #clock: Clock

  constructor(state: State, clock: Clock) {
    this.#state = state
    this.#clock = clock
  }

  list(): User[] {
    return this.#state.all(row, `${users} order by email`)
  }

  isEmpty(): boolean {
    return this.#state.first(z.object({}), 'select 1 from user limit 1') === undefined
  }

  /** Throws `not-found`. */
  get(id: string): User {
    const found = this.#state.first(row, `${users} where id = :id`, { id })
    if (found) return found
    throw new AppError('not-found', 'there is no such account')
  }

  /** What the one-time link of the first account says, a new one with each call; undefined once somebody has an account. */
  firstAccountToken(): string | undefined {
    if (!this.isEmpty()) return undefined
    const token = newSecret()
    const value = JSON.stringify({ hash: hashOf(token).toString('hex'), expiresAt: this.#later() })
    this.#state.change(
      `insert into fact (name, value) values ('first-account', :value)
       on conflict (name) do update set value = excluded.value`,
      { value },
    )
    return token
  }

  /** Of those who come with the same link at once, one gets it; throws `sign-in-failed`. */
  async makeFirst({ token, name, email, password }: { token: string; name: string; email: string; password: string }) {
    this.#checkFirst(token)
    const hash = await hashPassword(password)
    return this.#state.transaction(() => {
      this.#checkFirst(token)
      const id = this.#insert({ name, email, role: 'admin' })
      this.#setPassword(id, hash)
      this.#state.change("delete from fact where name = 'first-account'")
      return this.get(id)
    })
  }

  /** A new account without a password, and what the link that sets it says; throws `request-conflict`. */
  invite(wanted: { name: string; email: string; role: Role }): { user: User; token: string; expiresAt: string } {
    return this.#state.transaction(() => this.#inviteAgain(this.#insert(wanted)))
  }

  /** Sets the password that a link is for, once, and ends the second factor and all sessions; throws `sign-in-failed`. */
  async acceptInvitation({ token, password }: { token: string; password: string }): Promise<User> {
    this.#invited(token)
    const hash = await hashPassword(password)
    return this.#state.transaction(() => {
      const id = this.#invited(token)
      this.#setPassword(id, hash)
      this.#state.change('delete from twoFactor where userId = :id', { id })
      this.#state.change('update user set twoFactorEnabled = 0 where id = :id', { id })
      this.#state.change('delete from invitation where user = :id', { id })
      this.endSessions(id)
      return this.get(id)
    })
  }

  /** Throws `not-found`, and `request-conflict` where nobody would be left to administer. */
  change(
    id: string,
    wanted: { name?: string | undefined; role?: Role | undefined; disabled?: boolean | undefined },
  ): User {
    return this.#state.transaction(() => {
      const before = this.get(id)
      const after = {
        name: wanted.name ?? before.name,
        role: wanted.role ?? before.role,
        disabled: wanted.disabled ?? before.disabled,
      }
      if (after.role !== 'admin' || after.disabled) this.#refuseLast(before)
      this.#state.change('update user set name = :name, role = :role, disabled = :disabled where id = :id', {
        ...after,
        id,
        disabled: after.disabled ? 1 : 0,
      })
      if (after.role !== before.role || after.disabled) this.endSessions(id)
      return this.get(id)
    })
  }

  /** A new link for who has lost the password or the second factor, or never set one: until it is used, both count. */
  reset(id: string): { user: User; token: string; expiresAt: string } {
    return this.#state.transaction(() => {
      if (this.get(id).viaSso) {
        throw new AppError('request-conflict', 'this account signs in at the identity provider, and has no password')
      }
      return this.#inviteAgain(id)
    })
  }

  /** With its sessions and tokens; throws like `change`. */
  remove(id: string): User {
    return this.#state.transaction(() => {
      const user = this.get(id)
      this.#refuseLast(user)
      this.#state.change('delete from user where id = :id', { id })
      return user
    })
  }

  endSessions(id: string): void {
    this.#state.change('delete from session where userId = :id', { id })
  }

  endSessionsBefore(id: string, moment: Date): void {
    const before = moment.toISOString()
    this.#state.change('delete from session where userId = :id and createdAt < :before', { id, before })
  }

  /** The address of who has given the password, and owes the code that better-auth asks for under this name. */
  owingCode(challenge: string): string | undefined {
    const sql = `select email from verification join user on user.id = verification.value
      where identifier = :challenge and expiresAt > :now`
    return this.#state.first(z.object({ email: z.string() }), sql, { challenge, now: this.#now() })?.email
  }

  endSession(token: string): void {
    this.#state.change('delete from session where token = :token', { token })
  }

  #refuseLast({ id, role: its, disabled }: User): void {
    if (its !== 'admin' || disabled) return
    const others = `select 1 from user where role = 'admin' and disabled + roleWithdrawn = 0 and id <> :id limit 1`
    if (this.#state.first(z.object({}), others, { id })) return
    throw new AppError('request-conflict', 'this is the only admin', { hint: 'make somebody else an admin first' })
  }

  #checkFirst(token: string): void {
    const fact = this.#state.first(
      z.object({ value: z.string() }),
      "select value from fact where name = 'first-account'",
    )
    const known = fact && link.parse(JSON.parse(fact.value))
    const isKnown = known?.hash === hashOf(token).toString('hex') && known.expiresAt > this.#now()
    if (!isKnown || !this.isEmpty())
      throw badLink('"pgrevive serve" prints a new one with each start, until it is used')
  }

  #invited(token: string): string {
    const found = this.#state.first(
      z.object({ user: z.string() }),
      'select user from invitation join user on user.id = user where hash = :hash and expires_at > :now and disabled = 0',
      { hash: hashOf(token), now: this.#now() },
    )
    if (!found) throw badLink('ask an admin for a new one')
    return found.user
  }

  #inviteAgain(id: string): { user: User; token: string; expiresAt: string } {
    const token = newSecret()
    const expiresAt = this.#later()
    this.#state.change('delete from invitation where user = :id', { id })
    this.#state.change('insert into invitation (hash, user, expires_at) values (:hash, :id, :expiresAt)', {
      hash: hashOf(token),
      id,
      expiresAt,
    })
    return { user: this.get(id), token, expiresAt }
  }

  #insert({ name, email, role: its }: { name: string; email: string; role: Role }): string {
    const now = this.#now()
    const id = ulid(this.#clock.now().getTime())
    const added = this.#state.change(
      `insert into user (id, name, email, emailVerified, createdAt, updatedAt, role) values (:id, :name, :email, 0, :now, :now, :role)
       on conflict (email) do nothing`,
      { id, name, email: email.toLowerCase(), now, role: its },
    )
    if (added === 1) return id
    throw new AppError('request-conflict', 'there is an account with this e-mail address already')
  }

  #setPassword(user: string, hash: string): void {
    const now = this.#now()
    this.#state.change("delete from account where userId = :user and providerId = 'credential'", { user })
    this.#state.change(
      `insert into account (id, accountId, providerId, userId, password, createdAt, updatedAt)
       values (:id, :user, 'credential', :user, :hash, :now, :now)`,
      { id: ulid(this.#clock.now().getTime()), user, hash, now },
    )
  }

  #now(): string {
    return this.#clock.now().toISOString()
  }

  #later(): string {
    return new Date(this.#clock.now().getTime() + validMs).toISOString()
  }
}

function badLink(hint: string): AppError {
  return new AppError('sign-in-failed', 'this link is not valid, or no longer', { hint })
}
