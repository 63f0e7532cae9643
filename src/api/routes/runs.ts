import { createRoute, z } from '@hono/zod-openapi'
import { AppError } from '../../core/app-error.ts'
import type { Runs } from '../../service/runs/runs.ts'
import { checkArguments } from '../../service/runs/wanted-run.ts'
import { type Scope, page } from '../../shapes/common.ts'
import { logLine, run, runCommand, runDetail, runRequest, runState, scopeOfCommand } from '../../shapes/run.ts'
import type { ApiRoom } from '../api-room.ts'
import { type ApiApp } from '../app.ts'
import { ProveNext } from '../asking/prove-next.ts'
import { type RunWish, wantedRuns } from '../asking/run-request.ts'
import { demandScopes, whoOf } from '../guard.ts'
import { answers, done, isDone, json, on } from '../route.ts'

const id = z.object({ id: z.ulid() })
const mostLines = 5000

export function runRoutes(app: ApiApp, api: ApiRoom): void {
  const { names } = api
  const { runs } = api.service
  const proveNext = new ProveNext(api)
  app.openapi(
    createRoute({
      ...on('get', '/api/runs', { access: 'read', act: 'listRuns', summary: 'Runs, the newest first' }),
      request: {
        query: z.object({
          state: runState.optional(),
          database: z.string().max(200).optional(),
          command: runCommand.optional(),
          schedule: z.string().max(200).optional(),
          before: z.ulid().optional(),
          limit: z.coerce.number().int().min(1).max(500).default(50),
        }),
      },
      responses: answers(page(run)),
    }),
    (c) => {
      const { state, database, command, schedule, before, limit } = c.req.valid('query')
      const found = runs.list({
        limit,
        ...(state === undefined ? {} : { states: [state] }),
        ...(database === undefined ? {} : { database }),
        ...(command === undefined ? {} : { command }),
        ...(schedule === undefined ? {} : { schedule }),
        ...(before === undefined ? {} : { before }),
      })
      return c.json(found, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/runs', {
        access: 'signed-in',
        act: 'startRun',
        summary: 'Ask for a run. What it needs depends on the command: operate, restore or administer',
      }),
      request: { body: json(runRequest) },
      responses: answers(run, 'The run, or the first one where each database gets one of its own'),
    }),
    (c) => {
      const wish = c.req.valid('json')
      const who = whoOf(c)
      c.set('subject', subjectOf(wish))
      demandScopes(who, scopesOf(wish), `this ${wish.command}`)
      const wanted = wantedRuns(wish, names()).map((one) => ({ ...one, cause: 'request' as const, by: who.name }))
      // All are looked at before any is begun, and what is named twice is done once.
      wanted.forEach(checkArguments)
      const different = new Map(wanted.map((one) => [JSON.stringify(one.arguments), one])).values()
      const [begun] = [...different].map((one) => runs.request(one))
      if (!begun) throw new AppError('usage-invalid', 'there is nothing to run')
      if (wish.command === 'backup' && wish.prove) proveNext.wait(begun.databases, who.name)
      return c.json(begun, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('get', '/api/runs/{id}', { access: 'read', act: 'getRun', summary: 'A run, with what it printed' }),
      request: { params: id },
      responses: answers(runDetail),
    }),
    (c) => c.json(detailOf(runs, c.req.valid('param').id), 200),
  )
  app.openapi(
    createRoute({
      ...on('get', '/api/runs/{id}/log', {
        access: 'read',
        act: 'readLog',
        summary: `What a run said, its newest ${mostLines} lines`,
      }),
      request: { params: id },
      responses: answers(z.array(logLine)),
    }),
    async (c) => {
      const { id: wanted } = c.req.valid('param')
      detailOf(runs, wanted)
      const lines = await Array.fromAsync(runs.log(wanted))
      return c.json(lines.slice(-mostLines), 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/runs/{id}/cancel', { access: 'operate', act: 'cancelRun', summary: 'Stop a run' }),
      request: { params: id },
      responses: answers(done),
    }),
    (c) => {
      const { id: wanted } = c.req.valid('param')
      const { commandLine, command } = detailOf(runs, wanted)
      c.set('subject', `${wanted} ${commandLine}`)
      const who = whoOf(c)
      demandScopes(who, [scopeOfCommand[command]], `stopping "${command}"`)
      runs.cancel(wanted, who.name)
      return c.json(isDone, 200)
    },
  )
}

function detailOf(runs: Runs, id: string) {
  const found = runs.detail(id)
  if (found) return found
  throw new AppError('not-found', 'there is no such run', {
    hint: 'runs that ended more than 400 days ago are removed',
  })
}

function subjectOf(wish: z.output<typeof runRequest>): string {
  switch (wish.command) {
    case 'backup':
    case 'prove':
    case 'forget':
      return [wish.command, ...wish.databases].join(' ')
    case 'check':
    case 'prune':
      return [wish.command, ...wish.repositories].join(' ')
    case 'sync':
      return `sync ${wish.from ?? ''} ${wish.to ?? ''}`.trim()
    case 'refresh':
      return `refresh ${wish.refresh}`
    case 'restore':
      return `restore ${wish.way} ${wish.backup ?? ''} to ${wish.to}`
  }
}

/** SQL of one's own can do whatever pgrevive's role may do in the live database. */
function scopesOf(wish: RunWish): Scope[] {
  const runsSql = wish.command === 'restore' && wish.where !== undefined
  return [scopeOfCommand[wish.command], ...(runsSql ? (['administer'] as const) : [])]
}
