import { createRoute, z } from '@hono/zod-openapi'
import { type Document, isMap } from 'yaml'
import { AppError } from '../../core/app-error.ts'
import {
  addedDatabase,
  backup,
  connectionTest,
  databaseChange,
  databaseSummary,
  newDatabase,
  restoreState,
} from '../../shapes/database.ts'
import type { ApiRoom } from '../api-room.ts'
import type { ApiApp } from '../app.ts'
import { type ApiContext, whoOf } from '../guard.ts'
import { OneByOne } from '../one-by-one.ts'
import { summarizeAll, summarizeOne } from '../overview/summaries.ts'
import { answers, done, isDone, json, on } from '../route.ts'
import { addRepository, enteredDatabase, initRepository, keepSecret, tryDatabase } from '../settings/adding.ts'
import type { ChangeOptions } from '../settings/config-text.ts'

/** Names of databases of a server hold a slash: "main%2Fshop". */
const named = z.object({ name: z.string().min(1).max(200) })
const firstRepository = 'local'

export function databaseRoutes(app: ApiApp, { service, ask, config, secrets, kits }: ApiRoom): void {
  const adding = new OneByOne()
  /** Keeps the password, if one was entered, for as long as the change with its file does not fail. */
  const withPassword = (
    c: ApiContext,
    { name, password }: { name: string; password: string | undefined },
    make: (file: string | undefined, change: ChangeOptions) => Promise<unknown>,
  ) => {
    const by = whoOf(c).user
    if (password === undefined) return make(undefined, {})
    return keepSecret({ secrets, config, by }, { wish: `${name}-password`, secret: password }, (file) =>
      make(file, { fresh: secrets.freshOf(by) }),
    )
  }
  const summaryOf = (name: string) => {
    const found = summarizeOne(name, service)
    if (found) return found
    throw new AppError('not-found', 'there is no such database')
  }

  app.openapi(
    createRoute({
      ...on('get', '/api/databases', { access: 'read', act: 'listDatabases', summary: 'All databases' }),
      responses: answers(z.array(databaseSummary)),
    }),
    (c) => c.json(summarizeAll(service), 200),
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/databases/test', {
        access: 'administer',
        act: 'tryDatabase',
        summary: 'Whether a database can be reached; nothing is kept',
      }),
      request: { body: json(newDatabase) },
      responses: answers(connectionTest),
    }),
    async (c) => {
      const entered = enteredDatabase(c.req.valid('json'))
      c.set('subject', entered.conninfo)
      return c.json(await tryDatabase(entered, ask, c.req.raw.signal), 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('post', '/api/databases', {
        access: 'administer',
        act: 'addDatabase',
        summary: 'Have a database backed up, once it was reached; makes pgrevive.yaml and ./backups if there are none',
      }),
      request: { body: json(newDatabase) },
      responses: answers(addedDatabase),
    }),
    async (c) => {
      const wanted = c.req.valid('json')
      const entered = enteredDatabase(wanted)
      c.set('subject', entered.conninfo)
      const tried = await tryDatabase(entered, ask, c.req.raw.signal)
      if (tried.error) throw asError(tried.error)
      const name = wanted.name ?? nameFor(tried.database ?? '')
      const recoveryKit = await adding.run(async () => {
        if (service.config.databases.has(name)) {
          throw new AppError('request-conflict', `there is a database ${JSON.stringify(name)} already`, {
            hint: 'give this one another name',
          })
        }
        const addition = (passwordFile?: string) => (document: Document) => {
          if (document.hasIn(['databases', name])) throw new AppError('request-conflict', 'it was just added')
          document.setIn(['databases', name], {
            url: entered.conninfo,
            ...(entered.tunnel === undefined ? {} : { tunnel: entered.tunnel }),
            ...(passwordFile === undefined ? {} : { password_file: passwordFile }),
            ...(wanted.objectives === undefined ? {} : { objectives: wanted.objectives }),
          })
        }
        // What may not be is told before a repository is made.
        if (entered.password === undefined) await config.tryEdit(addition())
        const place = service.config.service.repositoryDirectories[0] ?? './backups'
        const kit = service.config.repositories.length > 0 ? null : await initRepository(place, { ask, config })
        await withPassword(c, { name, password: entered.password }, (passwordFile, change) =>
          config.edit((document) => {
            if (kit !== null) addRepository(document, firstRepository, place)
            addition(passwordFile)(document)
          }, change),
        )
        if (kit !== null) kits.wait(firstRepository)
        return kit
      })
      service.events.emit('event', { kind: 'changed', what: 'databases' })
      return c.json({ ...summaryOf(name), recoveryKit }, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('get', '/api/databases/{name}', { access: 'read', act: 'getDatabase', summary: 'One database' }),
      request: { params: named },
      responses: answers(databaseSummary),
    }),
    (c) => c.json(summaryOf(c.req.valid('param').name), 200),
  )
  app.openapi(
    createRoute({
      ...on('patch', '/api/databases/{name}', {
        access: 'administer',
        act: 'changeDatabase',
        summary: 'Another connection, once it was reached, or other objectives',
      }),
      request: { params: named, body: json(databaseChange) },
      responses: answers(databaseSummary),
    }),
    async (c) => {
      const { name } = c.req.valid('param')
      const { url, password, tunnel, objectives } = c.req.valid('json')
      const known = service.config.databases.get(name)
      if (!known) throw new AppError('not-found', 'there is no such database')
      const entered =
        url === undefined && password === undefined
          ? undefined
          : enteredDatabase({ url: url ?? known.conninfo, password, tunnel: tunnel ?? undefined })
      if (entered && (entered.password !== undefined || known.password === undefined)) {
        const tried = await tryDatabase(entered, ask, c.req.raw.signal)
        if (tried.error) throw asError(tried.error)
      }
      await withPassword(c, { name, password: entered?.password }, (passwordFile, change) =>
        config.edit((document) => {
          const path = ['databases', name]
          if (!isMap(document.getIn(path, true))) throw new AppError('not-found', 'pgrevive.yaml has no such database')
          if (url !== undefined && entered) document.setIn([...path, 'url'], entered.conninfo)
          if (tunnel === null && document.hasIn([...path, 'tunnel'])) document.deleteIn([...path, 'tunnel'])
          else if (typeof tunnel === 'string') document.setIn([...path, 'tunnel'], tunnel)
          if (objectives !== undefined) document.setIn([...path, 'objectives'], objectives)
          if (passwordFile === undefined) return
          if (document.hasIn([...path, 'password_env'])) document.deleteIn([...path, 'password_env'])
          document.setIn([...path, 'password_file'], passwordFile)
        }, change),
      )
      service.events.emit('event', { kind: 'changed', what: 'databases' })
      return c.json(summaryOf(name), 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('delete', '/api/databases/{name}', {
        access: 'administer',
        act: 'removeDatabase',
        summary: 'Back it up no longer; its backups stay',
      }),
      request: { params: named },
      responses: answers(done),
    }),
    async (c) => {
      const { name } = c.req.valid('param')
      await config.edit((document) => {
        if (!document.hasIn(['databases', name])) throw new AppError('not-found', 'pgrevive.yaml has no such database')
        document.deleteIn(['databases', name])
      })
      service.events.emit('event', { kind: 'changed', what: 'databases' })
      return c.json(isDone, 200)
    },
  )
  app.openapi(
    createRoute({
      ...on('get', '/api/databases/{name}/backups', {
        access: 'read',
        act: 'listBackups',
        summary: 'Its backups, the newest first, and what restores in place have saved of it, which is of another name',
      }),
      request: { params: named },
      responses: answers(z.array(backup)),
    }),
    (c) => {
      const { name } = c.req.valid('param')
      const all = [...service.catalog.backups(name), ...service.catalog.setAside(name)]
      return c.json(
        all.toSorted((one, other) => (one.snapshotAt < other.snapshotAt ? 1 : -1)),
        200,
      )
    },
  )
  app.openapi(
    createRoute({
      ...on('get', '/api/databases/{name}/restores', {
        access: 'read',
        act: 'getRestores',
        summary: 'What restores in place have left of it',
      }),
      request: { params: named },
      responses: answers(restoreState),
    }),
    async (c) => {
      const { name } = c.req.valid('param')
      if (!service.config.databases.has(name)) return c.json({ database: name, unfinished: null, kept: [] }, 200)
      const found = left.parse(await ask.ask('show database', ['--', name], { signal: c.req.raw.signal }))
      return c.json({ database: name, ...found }, 200)
    },
  )
}

const left = restoreState.omit({ database: true })

/** What pgrevive.yaml takes as a name. */
function nameFor(database: string): string {
  const name = database.replaceAll(/[^\w.-]/g, '_').replace(/^[^A-Za-z0-9]+/, '')
  if (name !== '') return name
  throw new AppError('usage-invalid', 'the database needs a name', { hint: 'letters, digits, ".", "_" and "-"' })
}

function asError({ code, message, hint }: { code: string; message: string; hint?: string | undefined }): AppError {
  return new AppError('connection-failed', `${message} (${code})`, hint === undefined ? {} : { hint })
}
