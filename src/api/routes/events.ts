import { createRoute } from '@hono/zod-openapi'
import { setTimeout as delay } from 'node:timers/promises'
import { streamSSE } from 'hono/streaming'
import { AppError } from '../../core/app-error.ts'
import { type ServiceEvent, serviceEvent } from '../../shapes/service.ts'
import type { AccessRoom } from '../access/open-access.ts'
import type { ApiService } from '../api-service.ts'
import type { ApiApp } from '../app.ts'
import { answers, on } from '../route.ts'

const heartbeatMs = 15_000
/** Of one client that does not keep up; progress goes first, since more of it follows. */
const mostKept = 500
const mostClients = 200

/** What the service tells, to whoever looks on, for as long as they may. */
export function eventRoutes(
  app: ApiApp,
  { room, events, closing }: { room: AccessRoom; events: ApiService['events']; closing: AbortSignal },
): void {
  let clients = 0
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
          description: 'One event after the other; a comment every 15 seconds when there is none',
          content: { 'text/event-stream': { schema: serviceEvent } },
        },
      },
    }),
    (c) => {
      if (clients >= mostClients) {
        throw new AppError('tries-exhausted', 'too many are watching', { hint: 'close a page, or try again later' })
      }
      // What stands in between must not wait until there is more.
      c.header('x-accel-buffering', 'no')
      const mayGoOn = async () => {
        const { who } = await room.doorman.identify(c.req.raw.headers, c.var.address)
        return who?.scopes.has('read') === true
      }
      return streamSSE(c, async (stream) => {
        clients++
        const queue = new EventQueue()
        const keep = (event: ServiceEvent) => queue.add(event)
        events.on('event', keep)
        const over = new AbortController()
        stream.onAbort(() => over.abort())
        closing.addEventListener('abort', () => over.abort(), { signal: over.signal })
        try {
          await stream.write(': welcome\n\n')
          for (let lookedAt = performance.now(); !over.signal.aborted;) {
            await queue.wait(heartbeatMs, over.signal)
            if (performance.now() - lookedAt >= heartbeatMs) {
              if (!(await mayGoOn())) return
              lookedAt = performance.now()
              await stream.write(': still there\n\n')
            }
            for (const event of queue.take()) {
              await stream.writeSSE({ event: event.kind, data: JSON.stringify(event) })
            }
          }
        } finally {
          events.off('event', keep)
          over.abort()
          clients--
        }
      })
    },
  )
}

/** What one client has not been told yet. */
class EventQueue {
  #kept: ServiceEvent[] = []
  #wake: (() => void) | undefined

  add(event: ServiceEvent): void {
    if (event.kind === 'progress') {
      this.#kept = this.#kept.filter((one) => one.kind !== 'progress' || one.run !== event.run)
    }
    this.#kept.push(event)
    if (this.#kept.length > mostKept) {
      // Lines of logs can be asked for; of everything else the newest tells.
      const log = this.#kept.findIndex(({ kind }) => kind === 'log')
      this.#kept.splice(Math.max(0, log), 1)
    }
    this.#wake?.()
  }

  take(): ServiceEvent[] {
    const taken = this.#kept
    this.#kept = []
    return taken
  }

  /** Until there is something, or so long. */
  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#kept.length > 0 || signal.aborted) return
    const woken = new AbortController()
    this.#wake = () => woken.abort()
    await delay(ms, undefined, { signal: AbortSignal.any([woken.signal, signal]) }).catch(() => undefined)
    this.#wake = undefined
  }
}
