import { createRoute, z } from '@hono/zod-openapi'
import { AppError } from '../../core/app-error.ts'
import { type Backup, backup, backupDetail, restorePlan, rows } from '../../shapes/database.ts'
import { runRequest } from '../../shapes/run.ts'
import type { ApiRoom } from '../api-room.ts'
import type { ApiApp } from '../app.ts'
import { BackupContents } from '../asking/backup-contents.ts'
import { planOf } from '../asking/restore-plan.ts'
import { answers, json, on } from '../route.ts'

const named = z.object({ id: z.ulid() })
const rowsTimeoutMs = 120_000
const planTimeoutMs = 120_000

export function backupRoutes(app: ApiApp, { service, ask, names }: ApiRoom): void {
  const contents = new BackupContents(ask)
  const find = (id: string): Backup => {
    const found = service.catalog.backup(id)
    if (found) return found
    throw new AppError('not-found', 'no repository held such a backup when it was last looked at')
  }

  app.openapi(
    createRoute({
      ...on('get', '/api/backups/{id}', { access: 'read', act: 'getBackup', summary: 'What a backup holds' }),
      request: { params: named },
      responses: answers(backupDetail),
    }),
    async (c) => {
      const found = find(c.req.valid('param').id)
      const all = service.catalog.backups(found.database)
      const before = all.filter(({ snapshotAt }) => snapshotAt < found.snapshotAt)[0]
      return c.json({ ...found, ...(await contents.detail(found, before)) }, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('get', '/api/backups/{id}/rows', {
        access: 'rows',
        act: 'seeRows',
        summary: 'Rows of a table, as the backup holds them',
        audited: true,
      }),
      request: {
        params: named,
        query: z.object({
          schema: z.string().min(1).max(200),
          table: z.string().min(1).max(200),
          search: z.string().min(1).max(500).optional(),
          limit: z.coerce.number().int().min(1).max(500).default(50),
        }),
      },
      responses: answers(rows),
    }),
    async (c) => {
      const { id } = c.req.valid('param')
      const { schema, table, search, limit } = c.req.valid('query')
      c.set('subject', `${id} ${schema}.${table}`)
      find(id)
      const quoted = [schema, table].map((name) => `"${name.replaceAll('"', '""')}"`).join('.')
      const words = [`--limit=${limit}`, ...(search === undefined ? [] : [`--search=${search}`]), '--', id, quoted]
      const found = await ask.ask('rows', words, { timeoutMs: rowsTimeoutMs, signal: c.req.raw.signal })
      return c.json(rows.parse(found), 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('put', '/api/backups/{id}/pin', {
        access: 'operate',
        act: 'pinBackup',
        summary: 'Keep it, whatever the policy says',
      }),
      request: { params: named, body: json(z.object({ reason: z.string().min(1).max(500) })) },
      responses: answers(backup),
    }),
    async (c) => {
      const { id } = find(c.req.valid('param').id)
      await ask.ask('pin', [`--reason=${c.req.valid('json').reason}`, ...placesOf(find(id)), '--', id])
      await service.catalog.refresh()
      return c.json(find(id), 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('delete', '/api/backups/{id}/pin', { access: 'operate', act: 'unpinBackup', summary: 'Pin it no longer' }),
      request: { params: named },
      responses: answers(backup),
    }),
    async (c) => {
      const { id } = find(c.req.valid('param').id)
      await ask.ask('unpin', [...placesOf(find(id)), '--', id])
      await service.catalog.refresh()
      return c.json(find(id), 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/restores/plan', {
        access: 'restore',
        act: 'planRestore',
        summary: 'What a restore would do, and what stands in its way; nothing is changed',
      }),
      request: { body: json(runRequest) },
      responses: answers(restorePlan),
    }),
    async (c) => {
      const wish = c.req.valid('json')
      if (wish.command !== 'restore') throw new AppError('usage-invalid', 'only a restore has a plan')
      c.set('subject', `${wish.way} ${wish.backup ?? ''} to ${wish.to}`)
      const found = wish.backup === undefined ? undefined : find(wish.backup)
      const question = { timeoutMs: planTimeoutMs, signal: c.req.raw.signal }
      return c.json(await planOf(wish, found, { ask, contents, names: names(), question }), 200)
    },
  )
}

function placesOf({ places }: Backup): string[] {
  return places.map(({ repository }) => `--repo=${repository}`)
}
