import { createRoute, z } from '@hono/zod-openapi'
import { AppError } from '../../core/app-error.ts'
import { type ConfiguredSchedule, resolveWhen } from '../../config/config-schedules.ts'
import { meaningOf } from '../../config/when/meaning.ts'
import { nextTimes } from '../../config/when/times.ts'
import { databasesOf } from '../../service/schedules/wanted-by-schedule.ts'
import {
  type Schedule,
  schedule,
  scheduleEntry,
  schedulePreview,
  schedulePreviewRequest,
} from '../../shapes/schedule.ts'
import { run, scopeOfCommand } from '../../shapes/run.ts'
import type { ApiRoom } from '../api-room.ts'
import type { ApiApp } from '../app.ts'
import { answers, done, isDone, json, on, onlyIfNew, refuseKnown } from '../route.ts'
import { demandScopes, whoOf } from '../guard.ts'

const named = z.object({
  name: z.string().regex(/^[A-Za-z0-9][\w.-]{0,199}$/, 'must be letters, digits, ".", "_" and "-"'),
})
const shownTimes = 10

export function scheduleRoutes(app: ApiApp, { service, config }: ApiRoom): void {
  const matchesOf = (entry: Parameters<typeof databasesOf>[0]) => {
    const known = service.catalog.databases().flatMap(({ name, gone }) => (gone ? [] : [name]))
    return databasesOf(entry, known) ?? null
  }
  const scheduleOf = ({ name, entry, when, enabled }: ConfiguredSchedule): Schedule => {
    const last = service.runs.list({ schedule: name, limit: 1 }).items[0]
    return {
      name,
      entry,
      meaning: meaningOf(when),
      matches: matchesOf(entry),
      enabled,
      next: enabled ? nextTimes(when, service.clock.now(), shownTimes).map((time) => time.toISOString()) : [],
      lastRun: last ? { id: last.id, state: last.state, at: last.startedAt ?? last.dueAt ?? last.createdAt } : null,
    }
  }
  const changed = () => service.events.emit('event', { kind: 'changed', what: 'schedules' })

  app.openapi(
    createRoute({
      ...on('get', '/api/schedules', {
        access: 'read',
        act: 'listSchedules',
        summary: 'What runs by itself, and when',
      }),
      responses: answers(z.array(schedule)),
    }),
    (c) => c.json([...service.config.schedules.values()].map(scheduleOf), 200),
  )
  app.openapi(
    createRoute({
      ...on('put', '/api/schedules/{name}', {
        access: 'administer',
        act: 'setSchedule',
        summary: 'Make or change one',
      }),
      request: { params: named, headers: onlyIfNew, body: json(scheduleEntry) },
      responses: answers(schedule),
    }),
    async (c) => {
      const { name } = c.req.valid('param')
      const entry = c.req.valid('json')
      const headers = c.req.valid('header')
      await config.edit((document) => {
        refuseKnown(headers, document.hasIn(['schedules', name]), `schedule ${JSON.stringify(name)}`)
        document.setIn(['schedules', name], entry)
      })
      changed()
      const made = service.config.schedules.get(name)
      if (!made) throw new AppError('request-conflict', 'pgrevive.yaml was changed meanwhile')
      return c.json(scheduleOf(made), 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/schedules/{name}/runs', {
        access: 'operate',
        act: 'runSchedule',
        summary: 'Run it now, without waiting for its time. What it needs depends on its command',
      }),
      request: { params: named },
      responses: answers(run),
    }),
    (c) => {
      const { name } = c.req.valid('param')
      const wanted = service.config.schedules.get(name)
      if (!wanted) throw new AppError('not-found', 'there is no such schedule')
      const { command } = wanted.entry
      const who = whoOf(c)
      demandScopes(who, [scopeOfCommand[command]], `this ${command}`)
      const begun = service.watch.scheduler.runNow(wanted, who.name, service.clock.now())
      if (begun) return c.json(begun, 200)
      throw new AppError('request-conflict', `there is nothing to ${command} yet`, {
        hint: 'its databases match none that are known, or there are no backups',
      })
    },
  )
  app.openapi(
    createRoute({
      ...on('delete', '/api/schedules/{name}', {
        access: 'administer',
        act: 'removeSchedule',
        summary: 'Run it no more',
      }),
      request: { params: named },
      responses: answers(done),
    }),
    async (c) => {
      const { name } = c.req.valid('param')
      await config.edit((document) => {
        if (!document.hasIn(['schedules', name])) throw new AppError('not-found', 'there is no such schedule')
        document.deleteIn(['schedules', name])
      })
      changed()
      return c.json(isDone, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/schedules/preview', {
        access: 'read',
        act: 'previewSchedule',
        summary: 'What a text means as times; nothing is changed',
        audited: false,
      }),
      request: { body: json(schedulePreviewRequest) },
      responses: answers(schedulePreview),
    }),
    (c) => {
      const { when: text, time_zone, jitter, command, databases } = c.req.valid('json')
      const matches = command === undefined ? null : matchesOf({ command, databases })
      const problems: { path: readonly PropertyKey[]; message: string }[] = []
      const entry = { when: text, ...(time_zone && { time_zone }), ...(jitter && { jitter }) }
      const when = resolveWhen('preview', entry, problems)
      if (!when)
        return c.json({ meaning: null, next: [], problem: problems[0]?.message ?? 'this is no time', matches }, 200)
      const next = nextTimes(when, service.clock.now(), shownTimes).map((time) => time.toISOString())
      return c.json({ meaning: meaningOf(when), next, problem: null, matches }, 200)
    },
  )
}
