import { createRoute, z } from '@hono/zod-openapi'
import { AppError } from '../../core/app-error.ts'
import {
  initializedRepository,
  newRepository,
  repository,
  repositoryKey,
  retentionPolicy,
  retentionPreview,
  retentionPreviewRequest,
} from '../../shapes/repository.ts'
import type { ApiRoom } from '../api-room.ts'
import type { ApiApp } from '../app.ts'
import { OneByOne } from '../one-by-one.ts'
import { answers, done, isDone, json, on } from '../route.ts'
import { addRepository, initRepository, tryRepository } from '../settings/adding.ts'

const named = z.object({ name: z.string().min(1).max(2000) })
const previewTimeoutMs = 180_000
/** Of "key list --json". */
const listedKeys = z.object({
  keys: z.array(
    z.object({
      key: z.string(),
      kind: z.string(),
      mode: z.string(),
      passphrase: z.boolean(),
      label: z.string().nullable(),
      since: z.string(),
    }),
  ),
})

export function repositoryRoutes(app: ApiApp, { service, ask, config, names, kits }: ApiRoom): void {
  const adding = new OneByOne()
  const find = (name: string) => {
    const found = service.catalog.repositories().find((one) => one.name === name)
    if (found) return found
    throw new AppError('not-found', 'there is no such repository')
  }

  app.openapi(
    createRoute({
      ...on('get', '/api/repositories', { access: 'read', act: 'listRepositories', summary: 'Where backups are' }),
      responses: answers(z.array(repository)),
    }),
    (c) => c.json([...service.catalog.repositories()], 200),
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/repositories', {
        access: 'administer',
        act: 'addRepository',
        summary: 'Have backups stored in one more place; its recovery kit is shown this once',
      }),
      request: { body: json(newRepository) },
      responses: answers(initializedRepository),
    }),
    async (c) => {
      const { name, place, init } = c.req.valid('json')
      c.set('subject', `${name} at ${place}`)
      const recoveryKit = await adding.run(async () => {
        // What may not be, or is there already, is told before anything is made.
        await config.tryEdit((document) => addRepository(document, name, place))
        const kit = init ? await initRepository(place, { ask, config }) : null
        if (!init) await tryRepository(place, names().repositories, ask)
        await config.edit((document) => addRepository(document, name, place))
        if (kit !== null) kits.wait(name)
        return kit
      })
      await service.catalog.refresh().catch(() => undefined) // what is wrong with it stands in the answer
      service.events.emit('event', { kind: 'changed', what: 'repositories' })
      return c.json({ repository: find(name), recoveryKit }, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/repositories/{name}/look', {
        access: 'operate',
        act: 'lookAtRepository',
        summary: 'Look what it holds now',
      }),
      request: { params: named },
      responses: answers(repository),
    }),
    async (c) => {
      const { name } = find(c.req.valid('param').name)
      await service.catalog.refresh()
      return c.json(find(name), 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/repositories/{name}/kit-kept', {
        access: 'administer',
        act: 'keepKit',
        summary: 'Say that its recovery kit is kept somewhere else than on this machine',
      }),
      request: { params: named },
      responses: answers(done),
    }),
    (c) => {
      kits.kept(find(c.req.valid('param').name).name)
      service.events.emit('event', { kind: 'changed', what: 'repositories' })
      return c.json(isDone, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('get', '/api/repositories/{name}/keys', {
        access: 'administer',
        act: 'listKeys',
        summary: 'Who can read and write it',
      }),
      request: { params: named },
      responses: answers(z.array(repositoryKey)),
    }),
    async (c) => {
      const { name } = find(c.req.valid('param').name)
      const { keys } = listedKeys.parse(await ask.ask('key list', [`--repo=${name}`], { signal: c.req.raw.signal }))
      const shown = keys.map(({ key, kind, mode, passphrase, label, since }) => ({
        id: key,
        name: label ?? '',
        kind: passphrase ? `${kind}, passphrase` : kind,
        access: mode === 'can read' ? ('read' as const) : ('write' as const),
        createdAt: new Date(since).toISOString(),
      }))
      return c.json(shown, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('get', '/api/retention', { access: 'read', act: 'getRetention', summary: 'What "forget" keeps, of all' }),
      responses: answers(retentionPolicy.nullable()),
    }),
    async (c) => c.json(retentionPolicy.nullable().parse((await config.value(['retention'])) ?? null), 200),
  )
  app.openapi(
    createRoute({
      ...on('put', '/api/retention', { access: 'administer', act: 'setRetention', summary: 'Keep other backups' }),
      request: { body: json(retentionPolicy) },
      responses: answers(retentionPolicy),
    }),
    async (c) => {
      const policy = c.req.valid('json')
      const keeps = Object.entries(policy).some(
        ([rule, value]) => rule !== 'minimum' && !/^0+[hdw]?$/.test(String(value)),
      )
      if (!keeps && Object.keys(policy).length > 0) {
        throw new AppError('usage-invalid', 'the policy names nothing to keep, and is not saved', {
          hint: 'keep the newest, or one of each day, week, month or year; with no rule at all everything is kept',
        })
      }
      await config.edit((document) => {
        for (const key of Object.keys(retentionPolicy.shape)) {
          if (document.hasIn(['retention', key])) document.deleteIn(['retention', key])
        }
        for (const [key, value] of Object.entries(policy)) document.setIn(['retention', key], value)
      })
      return c.json(policy, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/retention/preview', {
        access: 'read',
        act: 'previewRetention',
        summary: 'What "forget" would keep now; nothing is changed',
        audited: false,
      }),
      request: { body: json(retentionPreviewRequest) },
      responses: answers(retentionPreview),
    }),
    async (c) => {
      const { policy = {}, repository: of } = c.req.valid('json')
      const rules = Object.entries(policy).map(([key, value]) => `--${key.replaceAll('_', '-')}=${value}`)
      const [first] = service.config.repositories
      if (!first) return c.json({ decisions: [] }, 200)
      const repo = of === undefined ? first.name : find(of).name
      const found = await ask.ask('forget', ['--dry-run', `--repo=${repo}`, ...rules], {
        timeoutMs: previewTimeoutMs,
        signal: c.req.raw.signal,
        failureToo: retentionPreview,
      })
      return c.json(retentionPreview.parse(found), 200)
    },
  )
}
