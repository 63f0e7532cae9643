import { setTimeout as delay } from 'node:timers/promises'
import { hasCode } from '../core/app-error.ts'
import { Connection } from '../postgres/wire/connection.ts'
import type { ContainerReference } from './container-reference.ts'
import type { Engine } from './engine.ts'
import { type ReachedContainer, reachContainer } from './reach-container.ts'

const lookAgainMs = 300
/** An image that makes a cluster first runs a server that listens on no address, and ends it again. */
const initialisingMs = 60_000

/** Waits until a server that was started lets somebody in. Throws the last failure after `limitMs`, or what can not mend itself. */
export async function awaitServer(
  engine: Engine,
  reference: ContainerReference,
  surroundings: Parameters<typeof reachContainer>[2],
  limitMs: number,
): Promise<ReachedContainer> {
  const startedMs = performance.now()
  const tookMs = () => performance.now() - startedMs
  for (;;) {
    try {
      const reached = await reachContainer(engine, reference, surroundings)
      await using _connection = await Connection.connect(reached.target, { signal: engine.signal })
      if (reached.listens || tookMs() > initialisingMs) return reached
    } catch (error) {
      const mayPass = hasCode(error, 'connection-failed', 'connection-lost', 'query-failed', 'database-missing')
      if (!mayPass || tookMs() > limitMs) throw error
    }
    await delay(lookAgainMs, undefined, { signal: engine.signal })
  }
}
