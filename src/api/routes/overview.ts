import { createRoute } from '@hono/zod-openapi'
import { type Overview, overview } from '../../shapes/service.ts'
import type { ApiRoom } from '../api-room.ts'
import type { ApiApp } from '../app.ts'
import { summarizeAll } from '../overview/summaries.ts'
import { answers, on } from '../route.ts'

const shownAlerts = 100
const shownEnded = 10

/** What the front page shows, in one answer. */
export function overviewRoute(app: ApiApp, { service, kits }: ApiRoom): void {
  app.openapi(
    createRoute({
      ...on('get', '/api/overview', { access: 'read', act: 'seeOverview', summary: 'The front page' }),
      responses: answers(overview),
    }),
    (c) => {
      const { clock, catalog, alerts, runs } = service
      const databases = summarizeAll(service)
      const waitingKits = kits.of(service.config.repositories)
      const answer: Overview = {
        at: clock.now().toISOString(),
        databases,
        repositories: [...catalog.repositories()],
        waitingKits,
        alerts: alerts.list({ open: true, limit: shownAlerts }),
        runs: [
          ...runs.list({ states: ['running', 'waiting'], limit: 200 }).items,
          ...runs.list({ states: ['done', 'failed', 'canceled', 'interrupted', 'missed'], limit: shownEnded }).items,
        ],
        todo: todoOf(service.config, databases, waitingKits),
      }
      return c.json(answer, 200)
    },
  )
}

function todoOf(
  config: ApiRoom['service']['config'],
  databases: Overview['databases'],
  waitingKits: readonly string[],
): Overview['todo'] {
  const present = databases.filter(({ gone }) => !gone)
  const open = {
    repository: config.repositories.length === 0,
    kit: waitingKits.length > 0,
    database: present.length === 0,
    backup: present.every(({ lastBackup }) => lastBackup === null),
    proof: present.every(({ lastProof }) => lastProof === null),
    schedule: ![...config.schedules.values()].some(({ enabled, entry }) => enabled && entry.command === 'backup'),
    channel: config.alerts.channels.size === 0,
  }
  return (['repository', 'kit', 'database', 'backup', 'proof', 'schedule', 'channel'] as const).filter(
    (step) => open[step],
  )
}
