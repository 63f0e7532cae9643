import { createRoute, z } from '@hono/zod-openapi'
import { type ApiApp, describeApi } from '../app.ts'
import { answers, on } from '../route.ts'

/** Nothing of it is secret, and whoever wants a token reads it first. */
export function descriptionRoute(app: ApiApp): void {
  const description = z.looseObject({ openapi: z.string() })
  let described: z.output<typeof description> | undefined
  app.openapi(
    createRoute({
      ...on('get', '/api/openapi.json', { access: 'anyone', act: 'describe', summary: 'This description' }),
      responses: answers(description),
    }),
    (c) => c.json((described ??= description.parse(describeApi(app))), 200),
  )
}
