import { z } from '@hono/zod-openapi'
import { AppError } from '../core/app-error.ts'
import { type Scope, problem } from '../shapes/common.ts'

/** Who may ask: whoever has a scope, everybody who is known, or anyone at all. */
export type Access = Scope | 'signed-in' | 'anyone'

/** How the description names who may ask. */
export const accessField = 'x-access'
/** Whether the audit log keeps it; what is not said of a route is kept if it changes something. */
export const auditedField = 'x-audited'

interface RouteWords {
  readonly access: Access
  /** Its name in the description and in the audit log: "startRun". */
  readonly act: string
  readonly summary: string
  /** False for what is asked with each key that is pressed: only that it was refused is kept then. */
  readonly audited?: boolean
  /** No token does it, whatever its scopes: it gives access, or is about the session itself. */
  readonly inPerson?: true
}

/** The head of a route. Without one no request reaches it: guard.ts lets nobody through. */
export function on<const Method extends 'get' | 'post' | 'put' | 'patch' | 'delete', const Path extends string>(
  method: Method,
  path: Path,
  { access, act, summary, audited, inPerson }: RouteWords,
) {
  return {
    method,
    path,
    operationId: act,
    summary,
    tags: [path.replace(/^\/api/, '').split('/')[1] ?? ''],
    security: access === 'anyone' ? [] : [...(inPerson ? [] : [{ token: [] }]), { session: [] }],
    [accessField]: access,
    ...(audited === undefined ? {} : { [auditedField]: audited }),
  }
}

/** What a route answers, and that whatever else it answers is a problem. */
export function answers<Schema extends z.ZodType>(schema: Schema, description = 'Done') {
  return {
    200: { description, content: { 'application/json': { schema } } },
    default: { description: 'A problem', content: { 'application/json': { schema: problem } } },
  }
}

/** The body of a request. */
export function json<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { 'application/json': { schema } } }
}

/** The answer of what has nothing to tell. */
export const done = z.object({ done: z.literal(true) }).meta({ id: 'Done' })
export const isDone = { done: true } as const

/** Of a PUT that makes something: with `If-None-Match: *` it is refused where there is one of that name. */
export const onlyIfNew = z.object({ 'if-none-match': z.literal('*').optional() })

/** Throws `request-conflict`. */
export function refuseKnown(headers: z.output<typeof onlyIfNew>, isKnown: boolean, what: string): void {
  if (headers['if-none-match'] === undefined || !isKnown) return
  throw new AppError('request-conflict', `there is a ${what} already`, {
    hint: 'give this one another name, or change that one; nothing was written',
  })
}
