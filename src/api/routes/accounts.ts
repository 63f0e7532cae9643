import { createRoute, z } from '@hono/zod-openapi'
import { toolVersion } from '../../core/tool-version.ts'
import {
  acceptRequest,
  auditEntry,
  invitedUser,
  issuedToken,
  me,
  newToken,
  newUser,
  setupRequest,
  token,
  user,
  userChange,
} from '../../shapes/access.ts'
import { page } from '../../shapes/common.ts'
import type { AccessRoom } from '../access/open-access.ts'
import type { ApiApp } from '../app.ts'
import { whoOf } from '../guard.ts'
import { answers, done, isDone, json, on } from '../route.ts'

const id = z.object({ id: z.ulid() })

/** Who one is, how the first account is made, and how those of others are. */
export function accountRoutes(app: ApiApp, room: AccessRoom): void {
  const { users, tokens, audit, attempts } = room
  /** What stands behind # never leaves the browser by itself: no log of a proxy has it. */
  const linkOf = (path: string, secret: string) => `${room.url}/${path}#${secret}`

  app.openapi(
    createRoute({
      ...on('get', '/api/me', { access: 'anyone', act: 'me', summary: 'Who is signed in, and may do what' }),
      responses: answers(me),
    }),
    (c) => {
      const { who } = c.var
      const person = who?.session?.user
      return c.json(
        {
          setup: users.isEmpty(),
          user: person
            ? {
                id: person.id,
                name: person.name,
                email: person.email,
                role: person.role,
                totp: person.totp,
                viaSso: person.viaSso,
              }
            : null,
          scopes: [...(who?.scopes ?? [])],
          csrf: who?.session?.csrf ?? null,
          sso: room.oidc.map(({ id: provider, name }) => ({ id: provider, name })),
          version: toolVersion,
        },
        200,
      )
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/setup', {
        access: 'anyone',
        act: 'makeFirstAccount',
        summary: 'The first account, by the one-time link',
      }),
      request: { body: json(setupRequest) },
      responses: answers(user),
    }),
    async (c) => {
      const wanted = c.req.valid('json')
      c.set('claimed', wanted.email)
      attempts.begin(c.var.address)
      const made = await users.makeFirst(wanted)
      attempts.succeeded(c.var.address)
      return c.json(made, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/invitation', {
        access: 'anyone',
        act: 'acceptInvitation',
        summary: 'Set the password that a link is for',
      }),
      request: { body: json(acceptRequest) },
      responses: answers(user),
    }),
    async (c) => {
      attempts.begin(c.var.address)
      const accepted = await users.acceptInvitation(c.req.valid('json'))
      attempts.succeeded(c.var.address)
      c.set('claimed', accepted.email)
      return c.json(accepted, 200)
    },
  )

  app.openapi(
    createRoute({
      ...on('get', '/api/users', { access: 'administer', act: 'listUsers', summary: 'All accounts' }),
      responses: answers(z.array(user)),
    }),
    (c) => c.json(users.list(), 200),
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/users', {
        access: 'administer',
        inPerson: true,
        act: 'inviteUser',
        summary: 'A new account, with a link that sets its password within a day',
      }),
      request: { body: json(newUser) },
      responses: answers(invitedUser),
    }),
    (c) => {
      const wanted = c.req.valid('json')
      c.set('subject', `${wanted.email} as ${wanted.role}`)
      const { token: secret, ...invited } = users.invite(wanted)
      return c.json({ ...invited, link: linkOf('invitation', secret) }, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/users/{id}/link', {
        access: 'administer',
        inPerson: true,
        act: 'resetPassword',
        summary: 'A new link for who has lost the password or the second factor',
      }),
      request: { params: id },
      responses: answers(invitedUser),
    }),
    (c) => {
      const { token: secret, ...invited } = users.reset(c.req.valid('param').id)
      c.set('subject', invited.user.email)
      return c.json({ ...invited, link: linkOf('invitation', secret) }, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('patch', '/api/users/{id}', {
        access: 'administer',
        inPerson: true,
        act: 'changeUser',
        summary: 'Another name or role, or no access; a change of either ends the sessions',
      }),
      request: { params: id, body: json(userChange) },
      responses: answers(user),
    }),
    (c) => {
      const wanted = c.req.valid('json')
      const changed = users.change(c.req.valid('param').id, wanted)
      c.set('subject', `${changed.email}: ${changed.disabled ? 'disabled' : changed.role}`)
      return c.json(changed, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('delete', '/api/users/{id}', {
        access: 'administer',
        inPerson: true,
        act: 'removeUser',
        summary: 'Remove an account, with its sessions and tokens',
      }),
      request: { params: id },
      responses: answers(done),
    }),
    (c) => {
      c.set('subject', users.remove(c.req.valid('param').id).email)
      return c.json(isDone, 200)
    },
  )

  app.openapi(
    createRoute({
      ...on('get', '/api/tokens', { access: 'administer', act: 'listTokens', summary: 'All tokens, without secrets' }),
      responses: answers(z.array(token)),
    }),
    (c) => c.json(tokens.list(), 200),
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/tokens', {
        access: 'administer',
        inPerson: true,
        act: 'issueToken',
        summary: 'A new token; its secret is shown once',
      }),
      request: { body: json(newToken) },
      responses: answers(issuedToken),
    }),
    (c) => {
      const wanted = c.req.valid('json')
      c.set('subject', `${wanted.name}: ${wanted.scopes.join(', ')}`)
      const { user: owner, scopes } = whoOf(c)
      return c.json(tokens.issue(wanted, { user: owner, scopes }), 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('delete', '/api/tokens/{id}', { access: 'administer', act: 'revokeToken', summary: 'End a token' }),
      request: { params: id },
      responses: answers(done),
    }),
    (c) => {
      c.set('subject', tokens.revoke(c.req.valid('param').id).name)
      return c.json(isDone, 200)
    },
  )

  app.openapi(
    createRoute({
      ...on('get', '/api/audit', { access: 'administer', act: 'readAudit', summary: 'Who did what, the newest first' }),
      request: {
        query: z.object({ before: z.ulid().optional(), limit: z.coerce.number().int().min(1).max(500).default(100) }),
      },
      responses: answers(page(auditEntry)),
    }),
    (c) => {
      const { before, limit } = c.req.valid('query')
      return c.json(audit.list({ before, limit }), 200)
    },
  )
}
