import { queryOptions, type QueryFunctionContext } from '@tanstack/react-query'
import type { Me, Token, User } from '../../../src/shapes/access.ts'
import type { Alert, Channel } from '../../../src/shapes/alert.ts'
import type { Backup, BackupDetail, DatabaseSummary, RestoreState, Rows } from '../../../src/shapes/database.ts'
import type { Repository, RepositoryKey, RetentionPolicy } from '../../../src/shapes/repository.ts'
import type { LogLine, Run, RunDetail } from '../../../src/shapes/run.ts'
import type { Schedule } from '../../../src/shapes/schedule.ts'
import type { Overview, SettingsText } from '../../../src/shapes/service.ts'
import { at, get, setCsrf, withQuery } from './client.ts'

/** A page of a list that grows; `next` is given as `before` for the older ones. */
export interface Page<Item> {
  items: Item[]
  next: string | null
}

export interface RunFilter {
  state?: string
  database?: string
  command?: string
}

const fetched =
  <Answer>(path: string) =>
  ({ signal }: QueryFunctionContext) =>
    get<Answer>(path, signal)

/** Everything that is asked for, and under which key it is remembered. events.ts tells when to ask again. */
export const queries = {
  me: queryOptions({
    queryKey: ['me'],
    queryFn: async ({ signal, client }) => {
      const me = await get<Me>(at`me`, signal)
      setCsrf(me.csrf)
      // Every page shows something of it: asked for before any of them is built.
      if (me.user) void client.prefetchQuery(queries.overview)
      return me
    },
  }),
  overview: queryOptions({ queryKey: ['overview'], queryFn: fetched<Overview>(at`overview`) }),
  database: (name: string) =>
    queryOptions({ queryKey: ['databases', name], queryFn: fetched<DatabaseSummary>(at`databases/${name}`) }),
  databases: queryOptions({ queryKey: ['databases'], queryFn: fetched<DatabaseSummary[]>(at`databases`) }),
  backups: (name: string) =>
    queryOptions({
      queryKey: ['databases', name, 'backups'],
      queryFn: fetched<Backup[]>(at`databases/${name}/backups`),
    }),
  restores: (name: string) =>
    queryOptions({
      queryKey: ['databases', name, 'restores'],
      queryFn: fetched<RestoreState>(at`databases/${name}/restores`),
    }),
  backup: (id: string) =>
    queryOptions({ queryKey: ['backups', id], queryFn: fetched<BackupDetail>(at`backups/${id}`) }),
  rows: (id: string, table: { schema: string; name: string }, search: string) =>
    queryOptions({
      queryKey: ['backups', id, 'rows', table.schema, table.name, search],
      queryFn: fetched<Rows>(
        withQuery(at`backups/${id}/rows`, { schema: table.schema, table: table.name, search, limit: 100 }),
      ),
    }),
  runs: (filter: RunFilter, before?: string) =>
    queryOptions({
      queryKey: ['runs', filter, before ?? null],
      queryFn: fetched<Page<Run>>(withQuery(at`runs`, { ...filter, before, limit: 50 })),
    }),
  run: (id: string) => queryOptions({ queryKey: ['run', id], queryFn: fetched<RunDetail>(at`runs/${id}`) }),
  log: (id: string) => queryOptions({ queryKey: ['log', id], queryFn: fetched<LogLine[]>(at`runs/${id}/log`) }),
  schedules: queryOptions({ queryKey: ['schedules'], queryFn: fetched<Schedule[]>(at`schedules`) }),
  repositories: queryOptions({ queryKey: ['repositories'], queryFn: fetched<Repository[]>(at`repositories`) }),
  retention: queryOptions({ queryKey: ['retention'], queryFn: fetched<RetentionPolicy | null>(at`retention`) }),
  keys: (name: string) =>
    queryOptions({
      queryKey: ['repositories', name, 'keys'],
      queryFn: fetched<RepositoryKey[]>(at`repositories/${name}/keys`),
    }),
  alerts: (open: boolean) =>
    queryOptions({
      queryKey: ['alerts', open],
      queryFn: fetched<Page<Alert>>(withQuery(at`alerts`, { open: open ? true : undefined })),
    }),
  channels: queryOptions({ queryKey: ['channels'], queryFn: fetched<Channel[]>(at`channels`) }),
  users: queryOptions({ queryKey: ['users'], queryFn: fetched<User[]>(at`users`) }),
  tokens: queryOptions({ queryKey: ['tokens'], queryFn: fetched<Token[]>(at`tokens`) }),
  settings: queryOptions({ queryKey: ['settings'], queryFn: fetched<SettingsText>(at`settings`) }),
  secrets: queryOptions({ queryKey: ['secrets'], queryFn: fetched<{ names: string[] }>(at`secrets`) }),
}
