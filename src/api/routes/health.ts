import { z } from 'zod'
import type { ApiService } from '../api-service.ts'
import type { ApiApp } from '../app.ts'

/** A tick comes each second; one that takes long is no trouble yet. */
const stalledMs = 120_000

/** For whoever watches over the process: whether it is alive, and whether it does its work. Nothing of it is secret. */
export function healthRoutes(app: ApiApp, service: ApiService): void {
  app.get('/healthz', (c) => c.json({ alive: true }, 200))
  app.get('/readyz', (c) => {
    const { state, configProblem, clock, tickedAt } = service
    const problems = [
      ...(isOpen(state) ? [] : ['the state can not be read']),
      ...(configProblem ? ['pgrevive.yaml has changed and is not valid: the one before it counts'] : []),
      ...(tickedAt && clock.now().getTime() - tickedAt.getTime() < stalledMs ? [] : ['schedules are not looked at']),
    ]
    return c.json({ ready: problems.length === 0, problems }, problems.length === 0 ? 200 : 503)
  })
}

function isOpen(state: ApiService['state']): boolean {
  try {
    return state.first(z.object({}), 'select 1 from fact limit 1') !== null
  } catch {
    return false // why is told in the log by whoever needs it
  }
}
