import { createRoute, z } from '@hono/zod-openapi'
import { formatQuantity } from '../../core/text/format.ts'
import { metricsText } from '../../service/metrics/metrics.ts'
import { problem } from '../../shapes/common.ts'
import type { ApiService } from '../api-service.ts'
import type { ApiApp } from '../app.ts'
import { on } from '../route.ts'

/** A tick comes each second; one that takes long is no trouble yet. */
const stalledMs = 120_000

/** For whoever watches over the process: whether it is alive, and does its work, which is no secret; and how all stands, which is. */
export function healthRoutes(app: ApiApp, service: ApiService): void {
  app.get('/healthz', (c) => c.json({ alive: true }, 200))
  app.get('/readyz', (c) => {
    const { state, configProblem, clock, tickedAt, catalog } = service
    const problems = [
      ...(isOpen(state) ? [] : ['the state can not be read']),
      ...(configProblem ? ['pgrevive.yaml has changed and is not valid: the one before it counts'] : []),
      ...(tickedAt && clock.now().getTime() - tickedAt.getTime() < stalledMs ? [] : ['schedules are not looked at']),
    ]
    const isReady = problems.length === 0
    // which a look at the dashboard is needed for more than ever
    const away = catalog.repositories().filter(({ reachable }) => reachable === false).length
    if (away > 0) problems.push(`${formatQuantity(away, 'repository', 'repositories')} can not be reached`)
    return c.json({ ready: isReady, problems }, isReady ? 200 : 503)
  })
  app.openapi(
    createRoute({
      ...on('get', '/metrics', {
        access: 'metrics',
        act: 'getMetrics',
        summary: 'All metrics, as Prometheus reads them',
      }),
      responses: {
        200: { description: 'Metrics', content: { 'text/plain': { schema: z.string() } } },
        default: { description: 'A problem', content: { 'application/json': { schema: problem } } },
      },
    }),
    async (c) =>
      c.text(await metricsText(service), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }),
  )
}

function isOpen(state: ApiService['state']): boolean {
  try {
    return state.first(z.object({}), 'select 1 from fact limit 1') !== null
  } catch {
    return false // why is told in the log by whoever needs it
  }
}
