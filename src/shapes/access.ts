import { z } from 'zod'
import { name, role, scope, time } from './common.ts'

/** Who asks. */
export const me = z
  .object({
    /** Nobody has an account yet: the one-time link makes the first. */
    setup: z.boolean(),
    user: z
      .object({ id: z.string(), name: z.string(), email: z.string(), role, totp: z.boolean(), viaSso: z.boolean() })
      .nullable(),
    scopes: z.array(scope),
    /** To be sent as x-pgrevive-csrf with everything that changes something, when a cookie says who asks. */
    csrf: z.string().nullable(),
    sso: z.array(z.object({ id: z.string(), name: z.string() })),
    version: z.string(),
  })
  .meta({ id: 'Me' })
export type Me = z.output<typeof me>

export const setupRequest = z
  .object({
    token: z.string().min(1).max(200),
    name: name.max(100),
    email: z.email().max(200),
    password: z.string().min(12).max(200),
  })
  .meta({ id: 'SetupRequest' })

/** What the link of an invitation, or of a password that was lost, is turned into. */
export const acceptRequest = z
  .object({ token: z.string().min(1).max(200), password: z.string().min(12).max(200) })
  .meta({ id: 'AcceptRequest' })

export const user = z
  .object({
    id: z.string(),
    name: z.string(),
    email: z.string(),
    role,
    totp: z.boolean(),
    viaSso: z.boolean(),
    createdAt: time,
    lastSeenAt: time.nullable(),
    disabled: z.boolean(),
  })
  .meta({ id: 'User' })
export type User = z.output<typeof user>

export const newUser = z.object({ name: name.max(100), email: z.email().max(200), role }).meta({ id: 'NewUser' })
export const userChange = z
  .object({ name: name.max(100).optional(), role: role.optional(), disabled: z.boolean().optional() })
  .meta({ id: 'UserChange' })
/** The link is shown once, and sets the password. */
export const invitedUser = z.object({ user, link: z.string(), expiresAt: time }).meta({ id: 'InvitedUser' })
export type InvitedUser = z.output<typeof invitedUser>

export const token = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(scope),
    by: z.string(),
    createdAt: time,
    expiresAt: time.nullable(),
    lastUsedAt: time.nullable(),
  })
  .meta({ id: 'Token' })
export type Token = z.output<typeof token>

export const newToken = z
  .object({ name: name.max(100), scopes: z.array(scope).min(1), expiresInDays: z.int().min(1).max(3650).optional() })
  .meta({ id: 'NewToken' })
/** The secret is shown once. */
export const issuedToken = z.object({ token, secret: z.string() }).meta({ id: 'IssuedToken' })
export type IssuedToken = z.output<typeof issuedToken>

export const auditEntry = z
  .object({
    id: z.string(),
    at: time,
    /** The person's e-mail, "token NAME", or null for somebody unknown. */
    by: z.string().nullable(),
    from: z.string().nullable(),
    act: z.string(),
    subject: z.string().nullable(),
    outcome: z.enum(['done', 'refused', 'failed']),
    detail: z.string().nullable(),
  })
  .meta({ id: 'AuditEntry' })
export type AuditEntry = z.output<typeof auditEntry>
