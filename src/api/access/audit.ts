import { ulid } from 'ulid'
import { z } from 'zod'
import { redactPasswords } from '../../core/text/redact-passwords.ts'
import type { Clock } from '../../service/clock.ts'
import type { State } from '../../service/state/state.ts'
import type { AuditEntry } from '../../shapes/access.ts'

const row = z.object({
  id: z.string(),
  at: z.string(),
  by: z.string().nullable(),
  from: z.string().nullable(),
  act: z.string(),
  subject: z.string().nullable(),
  outcome: z.enum(['done', 'refused', 'failed']),
  detail: z.string().nullable(),
})
const longest = 500
const keptMs = 400 * 24 * 3600 * 1000

/** Who did what, from where, on what, and what came of it; nothing takes an entry out before 400 days. */
export class Audit {
  readonly #state: State
  readonly #clock: Clock

  constructor(state: State, clock: Clock) {
    this.#state = state
    this.#clock = clock
    const before = new Date(clock.now().getTime() - keptMs)
    state.change('delete from audit where id < :before', { before: ulid(before.getTime()).slice(0, 10) })
  }

  write(entry: Omit<AuditEntry, 'id' | 'at'>): void {
    const at = this.#clock.now()
    this.#state.change(
      `insert into audit (id, at, by, address, act, subject, outcome, detail)
       values (:id, :at, :by, :from, :act, :subject, :outcome, :detail)`,
      {
        id: ulid(at.getTime()),
        at: at.toISOString(),
        by: cut(entry.by),
        from: cut(entry.from),
        act: entry.act,
        subject: cut(entry.subject),
        outcome: entry.outcome,
        detail: cut(entry.detail),
      },
    )
  }

  /** The newest first. */
  list({ before, limit }: { before: string | undefined; limit: number }): { items: AuditEntry[]; next: string | null } {
    const found = this.#state.all(
      row,
      `select id, at, by, address as "from", act, subject, outcome, detail from audit
       where :before is null or id < :before order by id desc limit :limit`,
      { before: before ?? null, limit: limit + 1 },
    )
    const items = found.slice(0, limit)
    return { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null }
  }
}

function cut(text: string | null): string | null {
  return text === null ? null : redactPasswords(text).slice(0, longest)
}
