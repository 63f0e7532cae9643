import { createRoute, z } from '@hono/zod-openapi'
import type { Document } from 'yaml'
import type { ConfiguredChannel } from '../../config/config-alerts.ts'
import { AppError } from '../../core/app-error.ts'
import { describeChannel, testChannel } from '../../service/alerts/describe-channels.ts'
import { Reach } from '../../service/reach.ts'
import { type ChannelKind, alert, channel, channelEntry, channelTest } from '../../shapes/alert.ts'
import { page } from '../../shapes/common.ts'
import type { ApiRoom } from '../api-room.ts'
import type { ApiApp } from '../app.ts'
import { whoOf } from '../guard.ts'
import { answers, done, isDone, json, on, onlyIfNew, refuseKnown } from '../route.ts'
import { keepSecret } from '../settings/adding.ts'

const id = z.object({ id: z.ulid() })
const named = z.object({
  name: z.string().regex(/^[A-Za-z0-9][\w.-]{0,199}$/, 'must be letters, digits, ".", "_" and "-"'),
})

/** Kinds whose URL is a secret: whoever knows it can write there. */
const secretUrls: ReadonlySet<ChannelKind> = new Set(['slack', 'discord', 'webhook'])

export function alertRoutes(app: ApiApp, { service, config, secrets }: ApiRoom): void {
  const channelOf = (one: ConfiguredChannel) => describeChannel(one, service.state)

  app.openapi(
    createRoute({
      ...on('get', '/api/alerts', { access: 'read', act: 'listAlerts', summary: 'Alerts, the newest first' }),
      request: {
        query: z.object({
          open: z.enum(['true', 'false']).optional(),
          before: z.ulid().optional(),
          limit: z.coerce.number().int().min(1).max(500).default(100),
        }),
      },
      responses: answers(page(alert)),
    }),
    (c) => {
      const { open, before, limit } = c.req.valid('query')
      const found = service.alerts.list({ open: open === 'true', limit: limit + 1, ...(before && { before }) })
      const items = found.slice(0, limit)
      return c.json({ items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null }, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/alerts/{id}/acknowledge', {
        access: 'operate',
        act: 'acknowledgeAlert',
        summary: 'Somebody sees to it: nobody is reminded any more',
      }),
      request: { params: id },
      responses: answers(alert),
    }),
    (c) => {
      const found = service.alerts.get(c.req.valid('param').id)
      if (!found) throw new AppError('not-found', 'there is no such alert')
      c.set('subject', found.title)
      return c.json(service.alerts.acknowledge(found.id, whoOf(c).name), 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('get', '/api/channels', { access: 'read', act: 'listChannels', summary: 'Where alerts are told' }),
      responses: answers(z.array(channel)),
    }),
    (c) => c.json([...service.config.alerts.channels.values()].map(channelOf), 200),
  )
  app.openapi(
    createRoute({
      ...on('put', '/api/channels/{name}', { access: 'administer', act: 'setChannel', summary: 'Make or change one' }),
      request: { params: named, headers: onlyIfNew, body: json(channelEntry) },
      responses: answers(channel),
    }),
    async (c) => {
      const { name } = c.req.valid('param')
      const entry = c.req.valid('json')
      const by = whoOf(c).user
      const headers = c.req.valid('header')
      const put = (one: object) => (document: Document) => {
        refuseKnown(headers, document.hasIn(['alerts', 'channels', name]), `channel ${JSON.stringify(name)}`)
        document.setIn(['alerts', 'channels', name], one)
      }
      const fresh = () => ({ fresh: secrets.freshOf(by) })
      const { url, ...rest } = entry
      if (typeof url === 'string' && secretUrls.has(entry.kind)) {
        // What is wrong with it is told of the URL itself.
        await config.tryEdit(put(entry), fresh())
        await keepSecret({ secrets, config, by }, { wish: `${name}-url`, secret: url }, (path) =>
          config.edit(put({ ...rest, url_file: path }), fresh()),
        )
      } else await config.edit(put(entry), fresh())
      const made = service.config.alerts.channels.get(name)
      if (!made) throw new AppError('request-conflict', 'pgrevive.yaml was changed meanwhile')
      return c.json(channelOf(made), 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('delete', '/api/channels/{name}', {
        access: 'administer',
        act: 'removeChannel',
        summary: 'Tell nothing there',
      }),
      request: { params: named },
      responses: answers(done),
    }),
    async (c) => {
      const { name } = c.req.valid('param')
      await config.edit((document) => {
        if (!document.hasIn(['alerts', 'channels', name])) throw new AppError('not-found', 'there is no such channel')
        document.deleteIn(['alerts', 'channels', name])
      })
      return c.json(isDone, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/channels/{name}/test', { access: 'administer', act: 'testChannel', summary: 'Send a test' }),
      request: { params: named },
      responses: answers(channelTest),
    }),
    async (c) => {
      const { name } = c.req.valid('param')
      const known = service.config.alerts.channels.get(name)
      if (!known) throw new AppError('not-found', 'there is no such channel')
      const tested = await testChannel(known, {
        now: service.clock.now(),
        serviceUrl: service.config.service.url,
        reach: new Reach(service.config.service.reachPrivate),
        environment: service.options.environment,
      })
      return c.json(tested, 200)
    },
  )
}
