import { createRoute, z } from '@hono/zod-openapi'
import { AppError } from '../../core/app-error.ts'
import { newSecret, secretNames, settingsChange, settingsPreview, settingsText } from '../../shapes/service.ts'
import type { ApiRoom } from '../api-room.ts'
import type { ApiApp } from '../app.ts'
import { whoOf } from '../guard.ts'
import { answers, done, isDone, json, on } from '../route.ts'
import { previewSettings } from '../settings/preview.ts'
import { namesSecret } from '../settings/secret-files.ts'

const named = z.object({ name: z.string().min(1).max(100) })

export function settingsRoutes(app: ApiApp, { config, secrets }: ApiRoom): void {
  app.openapi(
    createRoute({
      ...on('get', '/api/settings', { access: 'administer', act: 'readSettings', summary: 'pgrevive.yaml' }),
      responses: answers(settingsText),
    }),
    async (c) => c.json(await config.read(), 200),
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/settings/preview', {
        access: 'administer',
        act: 'previewSettings',
        summary: 'What another text would change, and what is wrong with it',
        audited: false,
      }),
      request: { body: json(settingsChange) },
      responses: answers(settingsPreview),
    }),
    async (c) => c.json(await previewSettings(config, c.req.valid('json').text, secrets.freshOf(whoOf(c).user)), 200),
  )
  app.openapi(
    createRoute({
      ...on('put', '/api/settings', { access: 'administer', act: 'changeSettings', summary: 'Write another text' }),
      request: { body: json(settingsChange) },
      responses: answers(settingsText),
    }),
    async (c) => {
      const { text, revision } = c.req.valid('json')
      return c.json(await config.replace(text, revision, { fresh: secrets.freshOf(whoOf(c).user) }), 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('get', '/api/secrets', { access: 'administer', act: 'listSecrets', summary: 'Names of secrets' }),
      responses: answers(secretNames),
    }),
    async (c) => c.json({ names: await secrets.names() }, 200),
  )
  app.openapi(
    createRoute({
      ...on('put', '/api/secrets/{name}', {
        access: 'administer',
        act: 'setSecret',
        summary: 'Enter a secret, which is never given out; pgrevive.yaml names it pgrevive.secrets/NAME',
      }),
      request: { params: named, body: json(newSecret) },
      responses: answers(done),
    }),
    async (c) => {
      const { name } = c.req.valid('param')
      await config.enterSecret(name, c.req.valid('json').value, whoOf(c).user)
      return c.json(isDone, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('delete', '/api/secrets/{name}', { access: 'administer', act: 'removeSecret', summary: 'Remove a secret' }),
      request: { params: named },
      responses: answers(done),
    }),
    async (c) => {
      const { name } = c.req.valid('param')
      const { text } = await config.read()
      if (namesSecret(text, name)) {
        throw new AppError('request-conflict', 'pgrevive.yaml still names this secret', { hint: 'change that first' })
      }
      await secrets.remove(name)
      return c.json(isDone, 200)
    },
  )
}
