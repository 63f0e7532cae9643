import { createRoute, z } from '@hono/zod-openapi'
import { getCookie } from 'hono/cookie'
import { AppError } from '../../core/app-error.ts'
import { type Given, askAuth } from '../access/auth.ts'
import type { AccessRoom } from '../access/open-access.ts'
import type { ApiApp } from '../app.ts'
import { type ApiContext, whoOf } from '../guard.ts'
import { answers, done, isDone, json, on } from '../route.ts'

const password = z.string().min(1).max(200)
const code = z.string().min(1).max(20)
const credentials = z.object({ email: z.email().max(200), password }).meta({ id: 'Credentials' })
const signedIn = z
  .object({ twoFactorRedirect: z.boolean().describe('A code of the second factor is asked for next') })
  .meta({ id: 'SignedIn' })
const secondFactor = z
  .object({ totpURI: z.string().describe('For the QR code of an authenticator'), backupCodes: z.array(z.string()) })
  .meta({ id: 'SecondFactor' })

/** What better-auth does, each as a route of ours, so that all that holds for routes holds for it: guard, audit, description. */
export function signInRoutes(app: ApiApp, room: AccessRoom): void {
  const ask = (c: ApiContext, path: string, body?: object) => askOne(room, c, path, body)

  app.openapi(
    createRoute({
      ...on('post', '/api/auth/sign-in/email', { access: 'anyone', act: 'signIn', summary: 'Sign in with a password' }),
      request: { body: json(credentials) },
      responses: answers(signedIn),
    }),
    async (c) => {
      const { email, password: given } = c.req.valid('json')
      c.set('claimed', email)
      room.attempts.begin(c.var.address, email)
      const answer = await ask(c, '/sign-in/email', { email, password: given })
      room.attempts.succeeded(c.var.address, email)
      endSession(room, c)
      const twoFactorRedirect = signedIn.partial().parse(answer).twoFactorRedirect === true
      if (twoFactorRedirect) c.set('subject', 'by the password alone: a code is asked for next')
      return c.json({ twoFactorRedirect }, 200)
    },
  )
  for (const [path, act, summary] of [
    ['/api/auth/two-factor/verify-totp', 'verifyCode', 'The code of the authenticator: at sign-in, or to turn it on'],
    ['/api/auth/two-factor/verify-backup-code', 'useRecoveryCode', 'A recovery code in its place, each once'],
  ] as const) {
    app.openapi(
      createRoute({
        ...on('post', path, { access: 'anyone', act, summary }),
        request: { body: json(z.object({ code })) },
        responses: answers(done),
      }),
      async (c) => {
        const began = new Date()
        const user = c.var.who?.session?.user
        const email = user?.email ?? owingCode(room, c)
        const account = email === undefined ? [] : [`codes of ${email}`]
        c.set('claimed', email)
        room.attempts.begin(c.var.address, ...account)
        await ask(c, path.slice('/api/auth'.length), { code: c.req.valid('json').code })
        room.attempts.succeeded(c.var.address, ...account)
        // Turned on just now: who signed in without it does so again.
        if (user && !user.totp) room.users.endSessionsBefore(user.id, began)
        return c.json(isDone, 200)
      },
    )
  }
  app.openapi(
    createRoute({
      ...on('post', '/api/auth/sign-out', {
        access: 'signed-in',
        inPerson: true,
        act: 'signOut',
        summary: 'End this session',
      }),
      responses: answers(done),
    }),
    async (c) => {
      await ask(c, '/sign-out', {})
      return c.json(isDone, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/auth/sign-in/social', {
        access: 'anyone',
        act: 'beginSso',
        summary: 'Where to send the browser to sign in at an identity provider',
      }),
      request: { body: json(z.object({ provider: z.string().min(1).max(100) })) },
      responses: answers(z.object({ url: z.url() })),
    }),
    async (c) => {
      const { provider } = c.req.valid('json')
      c.set('subject', provider)
      if (!room.oidc.some(({ id }) => id === provider)) {
        throw new AppError('not-found', 'there is no such identity provider')
      }
      room.attempts.begin(c.var.address)
      const answer = await ask(c, '/sign-in/social', { provider, callbackURL: '/', errorCallbackURL: '/sign-in' })
      return c.json(z.object({ url: z.url() }).parse(answer), 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('get', '/api/auth/callback/{provider}', {
        access: 'anyone',
        act: 'endSso',
        summary: 'Where an identity provider sends the browser back to',
        audited: true,
      }),
      request: { params: z.object({ provider: z.string().max(100) }) },
      responses: { 302: { description: 'To the dashboard, with "error" in the query if it failed' } },
    }),
    async (c) => {
      const given: Given = {}
      const answer = await askAuth(room.auth, c.req.raw, c.var.address, given)
      c.set('claimed', given.email)
      const location = new URL(answer.headers.get('location') ?? '/sign-in?error=failed', c.req.url)
      const error = location.searchParams.get('error')
      for (const cookie of answer.headers.getSetCookie()) c.header('set-cookie', cookie, { append: true })
      if (error !== null) c.error = new AppError('sign-in-failed', `the identity provider, or this service: ${error}`)
      else {
        room.attempts.succeeded(c.var.address)
        endSession(room, c)
      }
      return c.redirect(error === null ? '/' : `/sign-in?error=${encodeURIComponent(error)}`, 302)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/auth/two-factor/enable', {
        access: 'signed-in',
        inPerson: true,
        act: 'beginSecondFactor',
        summary: 'A secret for an authenticator; its first code turns it on',
      }),
      request: { body: json(z.object({ password })) },
      responses: answers(secondFactor),
    }),
    async (c) =>
      c.json(secondFactor.parse(await withPassword(room, c, '/two-factor/enable', c.req.valid('json'))), 200),
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/auth/two-factor/generate-backup-codes', {
        access: 'signed-in',
        inPerson: true,
        act: 'makeRecoveryCodes',
        summary: 'New recovery codes; the old ones end',
      }),
      request: { body: json(z.object({ password })) },
      responses: answers(secondFactor.pick({ backupCodes: true }).meta({ id: 'RecoveryCodes' })),
    }),
    async (c) => {
      const answer = await withPassword(room, c, '/two-factor/generate-backup-codes', c.req.valid('json'))
      return c.json(secondFactor.pick({ backupCodes: true }).parse(answer), 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/auth/two-factor/disable', {
        access: 'signed-in',
        inPerson: true,
        act: 'endSecondFactor',
        summary: 'Sign in with the password alone',
      }),
      request: { body: json(z.object({ password })) },
      responses: answers(done),
    }),
    async (c) => {
      await withPassword(room, c, '/two-factor/disable', c.req.valid('json'))
      return c.json(isDone, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/auth/change-password', {
        access: 'signed-in',
        inPerson: true,
        act: 'changePassword',
        summary: 'Set another password; all other sessions end',
      }),
      request: { body: json(z.object({ currentPassword: password, newPassword: z.string().min(12).max(200) })) },
      responses: answers(done),
    }),
    async (c) => {
      const { currentPassword, newPassword } = c.req.valid('json')
      await withPassword(room, c, '/change-password', { currentPassword, newPassword, revokeOtherSessions: true })
      return c.json(isDone, 200)
    },
  )
}

/** What asks for the password once more: a session that was left open is not enough, and guessing is limited. */
async function withPassword(room: AccessRoom, c: ApiContext, path: string, body: object): Promise<unknown> {
  const { name } = whoOf(c)
  room.attempts.begin(c.var.address, name)
  const answer = await askOne(room, c, path, body)
  room.attempts.succeeded(c.var.address, name)
  return answer
}

/** Asks better-auth, passes its cookies on, and turns what it refuses into an error of ours. */
async function askOne(room: AccessRoom, c: ApiContext, path: string, body: object | undefined): Promise<unknown> {
  // The guard has looked where the request comes from.
  const headers = new Headers({ 'content-type': 'application/json', origin: room.url })
  // Who comes with a token is nobody's browser, whatever cookie lies beside it.
  const isBrowser = c.req.header('authorization') === undefined
  for (const name of isBrowser ? ['cookie', 'user-agent'] : ['user-agent']) {
    const value = c.req.header(name)
    if (value !== undefined) headers.set(name, value)
  }
  const url = `${room.url}/api/auth${path}`
  const request = new Request(url, { method: 'POST', headers, body: JSON.stringify(body ?? {}) })
  const response = await askAuth(room.auth, request, c.var.address)
  for (const cookie of response.headers.getSetCookie()) c.header('set-cookie', cookie, { append: true })
  const answer: unknown = await response.json().catch(() => ({}))
  if (response.ok) return answer
  throw refusalOf(response.status, refusal.parse(answer))
}

const refusal = z.looseObject({ code: z.string().optional(), message: z.string().optional() })

function refusalOf(status: number, { code, message }: z.output<typeof refusal>): Error {
  if (status === 429 || code?.startsWith('TOO_MANY')) {
    return new AppError('tries-exhausted', 'too many tries at signing in', {
      hint: 'try again in a quarter of an hour',
    })
  }
  if (status >= 500) return new Error(`better-auth failed: ${code ?? message ?? status}`)
  const said = message === undefined || message === '' ? 'this is not right' : message
  return new AppError('sign-in-failed', said.charAt(0).toLowerCase() + said.slice(1))
}

/** Of who is between the password and the code. */
function owingCode(room: AccessRoom, c: ApiContext): string | undefined {
  const name = 'pgrevive.two_factor'
  const signed = getCookie(c, name) ?? getCookie(c, name, 'secure')
  return signed === undefined ? undefined : room.users.owingCode(signed.split('.', 1)[0] ?? '')
}

/** The session that the browser had before a new one began: nobody else goes on with it. */
function endSession(room: AccessRoom, c: ApiContext): void {
  const { who } = c.var
  if (who?.session) room.users.endSession(who.session.token)
}
