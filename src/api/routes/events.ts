import { createRoute } from '@hono/zod-openapi'
import { streamSSE } from 'hono/streaming'
import { AppError } from '../../core/app-error.ts'
import { type ServiceEvent, serviceEvent } from '../../shapes/service.ts'
import type { ApiRoom } from '../api-room.ts'
import type { ApiApp } from '../app.ts'
import { whoOf } from '../guard.ts'
import { answers, on } from '../route.ts'

const heartbeatMs = 15_000
/** Whoever may look on no longer is told nothing more after so long, and left at the next heartbeat. */
const lookAgainMs = 1000
/** Of one client that does not keep up. */
const mostKept = 500
const mostClients = 200
/** Of one account, so that there is room for others. */
const mostOfOne = 20

/** What the service tells, to whoever looks on, for as long as they may. */
export function eventRoutes(app: ApiApp, { access, service: { clock, events }, closing }: ApiRoom): void {
  const clients: string[] = []
  events.setMaxListeners(mostClients + 20)
  app.openapi(
    createRoute({
      ...on('get', '/api/events', {
        access: 'read',
        act: 'watchEvents',
        summary: 'What happens, as it happens: server-sent events, named by their kind',
      }),
      responses: {
        ...answers(serviceEvent),
        200: {
          description: `One event after the other, from the first comment on; a comment every ${heartbeatMs / 1000} seconds`,
          content: { 'text/event-stream': { schema: serviceEvent } },
        },
      },
    }),
    (c) => {
      const { user } = whoOf(c)
      if (clients.length >= mostClients || clients.filter((one) => one === user).length >= mostOfOne) {
        throw new AppError('tries-exhausted', 'too many are watching', { hint: 'close a page, or try again later' })
      }
      // What stands in between must not wait until there is more.
      c.header('x-accel-buffering', 'no')
      const mayGoOn = async () => {
        const { who } = await access.doorman.identify(c.req.raw.headers, c.var.address)
        return who?.scopes.has('read') === true
      }
      return streamSSE(c, async (stream) => {
        clients.push(user)
        const queue = new EventQueue()
        const keep = (event: ServiceEvent) => queue.add(event)
        events.on('event', keep)
        const gone = new AbortController()
        stream.onAbort(() => gone.abort())
        const over = AbortSignal.any([gone.signal, closing])
        over.addEventListener('abort', () => queue.beat())
        try {
          using _ = clock.every(heartbeatMs, () => queue.beat())
          await stream.write(': welcome\n\n')
          for (let lookedMs = clock.now().getTime(); !over.aborted; await queue.wait()) {
            const { isBeat, hasLost, kept } = queue.take()
            // Whoever begins anew asks again for all that they show.
            if (hasLost) return
            const nowMs = clock.now().getTime()
            if (isBeat || nowMs - lookedMs >= lookAgainMs) {
              if (!(await mayGoOn())) return
              lookedMs = nowMs
            }
            if (isBeat) await stream.write(': still there\n\n')
            for (const event of kept) await stream.writeSSE({ event: event.kind, data: JSON.stringify(event) })
          }
        } finally {
          events.off('event', keep)
          clients.splice(clients.indexOf(user), 1)
        }
      })
    },
  )
}

/** What one client has not been told yet. */
class EventQueue {
  #kept: ServiceEvent[] = []
  #isBeat = false
  #hasLost = false
  #wake: (() => void) | undefined

  /** Of progress only the newest is kept; of more than can be, lines of logs go first, since they can be asked for. */
  add(event: ServiceEvent): void {
    if (event.kind === 'progress') {
      this.#kept = this.#kept.filter((one) => one.kind !== 'progress' || one.run !== event.run)
    }
    this.#kept.push(event)
    if (this.#kept.length > mostKept) {
      const log = this.#kept.findIndex(({ kind }) => kind === 'log')
      this.#hasLost ||= log < 0
      this.#kept.splice(Math.max(0, log), 1)
    }
    this.#wake?.()
  }

  beat(): void {
    this.#isBeat = true
    this.#wake?.()
  }

  take(): { readonly isBeat: boolean; readonly hasLost: boolean; readonly kept: readonly ServiceEvent[] } {
    const taken = { isBeat: this.#isBeat, hasLost: this.#hasLost, kept: this.#kept }
    this.#kept = []
    this.#isBeat = false
    return taken
  }

  /** Until there is something. */
  async wait(): Promise<void> {
    if (this.#kept.length > 0 || this.#isBeat) return
    await new Promise<void>((resolve) => (this.#wake = resolve))
  }
}
