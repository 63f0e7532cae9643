import { z } from 'zod'
import { type HookAction, type HookLists, type HookStep, type WaitCondition, hookNames } from '../hooks/hook-step.ts'
import { timeLimit, timeLimitMs } from './value-types.ts'

const name = z.string().min(1)
const names = z.array(name).min(1)

const hookStep = z.strictObject({
  run: z
    .union([name, names])
    .describe('A program and its arguments as a list, or a command line as text, which /bin/sh -c runs')
    .optional(),
  in: name.describe('The container that "run" runs in, in place of this machine').optional(),
  stop: names.describe('Containers to stop; those that ran are started again at the end, whatever happens').optional(),
  start: names.describe('Containers to start').optional(),
  wait: z
    .strictObject({
      tcp: z
        .string()
        .regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:/]+):[0-9]{1,5}$/, 'must be host:port')
        .refine((place) => isPort(Number(place.replace(/.*:/, ''))), 'must have a port from 1 to 65535')
        .describe('host:port that accepts connections')
        .optional(),
      http: z
        .url({ protocol: /^https?$/ })
        .refine(hasNoLogin, 'must have no user and no password; fetch such a page with "run"')
        .describe('A URL that answers with a status of 200 to 299')
        .optional(),
      database: name.describe('A database of this file, or a connection string, that can be logged into').optional(),
      container: name.describe('A container that is healthy, or runs and has no health check').optional(),
    })
    .refine((wait) => Object.keys(wait).length === 1, 'must name one of tcp, http, database and container')
    .describe('Until something is ready: one of tcp, http, database, container')
    .optional(),
  timeout: timeLimit.describe('How long the step may take: 30s, 5m, 2h (default: 5m)').optional(),
  env: z
    .array(z.string().regex(/^[A-Za-z_]\w*$/, 'must be the name of a variable'))
    .describe('Variables of the environment that "run" gets besides PATH, HOME, the locale and those of the run')
    .optional(),
})
const oneAction = hookStep
  .refine(
    ({ run, stop, start, wait }) => [run, stop, start, wait].filter((action) => action !== undefined).length === 1,
    'must be one of run, stop, start and wait',
  )
  .refine(
    ({ run, in: container, env }) => run !== undefined || (container ?? env) === undefined,
    'in and env belong to run',
  )
const steps = z.array(oneAction)

function isPort(port: number): boolean {
  return port >= 1 && port <= 65535
}

function hasNoLogin(url: string): boolean {
  const { username, password } = URL.parse(url) ?? { username: '', password: '' }
  return username === '' && password === ''
}

/** What stands under `hooks:`, for all databases or of one. */
export const hooks = z.strictObject({
  project: name.describe('The compose project whose services "in", "stop", "start" and "container" name').optional(),
  before_backup: steps.describe('Before each backup of a database; a failure keeps it from being begun').optional(),
  after_backup: steps.describe('After each that is done').optional(),
  before_restore: steps.describe('Before each restore; a failure keeps it from being begun').optional(),
  after_restore: steps.describe('After each that is done').optional(),
  on_failure: steps.describe('When a backup or restore, or one of its hooks, has failed').optional(),
})

/** Hooks as pgrevive.yaml says them. */
export interface ConfiguredHooks {
  /** The compose project whose services are meant. */
  readonly project: string | undefined
  readonly lists: HookLists
}

const usualTimeout = '5m'

export function resolveHooks(entry: z.output<typeof hooks>): ConfiguredHooks {
  const lists = hookNames.flatMap((name) => {
    const steps = entry[name]
    return steps === undefined ? [] : [[name, steps.map(resolveStep)] as const]
  })
  return { project: entry.project, lists: Object.fromEntries(lists) }
}

/** Those of one database before those for all, each by its name. */
export function mergeHooks(own: ConfiguredHooks | undefined, forAll: ConfiguredHooks | undefined): ConfiguredHooks {
  return { project: own?.project ?? forAll?.project, lists: { ...forAll?.lists, ...own?.lists } }
}

function resolveStep(entry: z.output<typeof hookStep>): HookStep {
  return { ...actionOf(entry), timeoutMs: timeLimitMs(entry.timeout ?? usualTimeout), variables: entry.env ?? [] }
}

function actionOf({ run, in: container, stop, start, wait }: z.output<typeof hookStep>): HookAction {
  if (run !== undefined) return { kind: 'run', command: run, container }
  if (stop) return { kind: 'stop', containers: stop }
  if (start) return { kind: 'start', containers: start }
  const [condition] = conditionsOf(wait ?? {})
  if (!condition) throw new Error('a step of a hook does nothing')
  return { kind: 'wait', until: condition }
}

function conditionsOf(wait: NonNullable<z.output<typeof hookStep>['wait']>): WaitCondition[] {
  return (['tcp', 'http', 'database', 'container'] as const).flatMap((what) => {
    const where = wait[what]
    return where === undefined ? [] : [{ what, where }]
  })
}
