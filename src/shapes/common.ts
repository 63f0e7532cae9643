import { z } from 'zod'

// What the API takes and gives, as JSON. Times are ISO 8601 in UTC, sizes are bytes, durations are milliseconds.
// Service, API and dashboard say the same with them; the dashboard imports this folder and nothing else of src/.

export const time = z.iso.datetime()
export const name = z.string().min(1).max(200)

/** Every answer whose status is not 2xx. `code` is one of errorCodes (docs/reference.md). */
export const problem = z
  .object({ error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }) })
  .meta({ id: 'Problem' })
export type Problem = z.output<typeof problem>

/** What a role may do, and what a token is for. A role has those of the roles below it. */
export const scopes = ['read', 'metrics', 'operate', 'restore', 'rows', 'administer'] as const
export const scope = z.enum(scopes).meta({
  id: 'Scope',
  description:
    'read: see everything but rows and secrets. metrics: /metrics. operate: backups, proofs, checks, pins, to cancel runs. restore: restores. rows: see rows of a backup. administer: configuration, users, tokens, forget, prune, the audit log.',
})
export type Scope = z.output<typeof scope>

export const roles = {
  viewer: ['read', 'metrics'],
  operator: ['read', 'metrics', 'operate', 'restore', 'rows'],
  admin: [...scopes],
} as const satisfies Record<string, readonly Scope[]>
export const role = z.enum(['viewer', 'operator', 'admin']).meta({ id: 'Role' })
export type Role = z.output<typeof role>

/** A page of a list that grows; `next` is given as `before` for the older ones. */
export function page<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), next: z.string().nullable() })
}
