import { z } from 'zod'
import { name, time } from './common.ts'

/** What a run can be of. A drill is a `prove` that a schedule began. */
export const runCommands = [
  'backup',
  'prove',
  'forget',
  'prune',
  'sync',
  'check',
  'refresh',
  'restore',
  'list',
] as const
export const runCommand = z.enum(runCommands).meta({ id: 'RunCommand' })
export type RunCommand = z.output<typeof runCommand>

/**
 * waiting → running → done | failed | canceled | interrupted (the service or the machine ended under it).
 * A run that could not begin because nobody ran the service at its time is `missed`.
 */
export const runState = z
  .enum(['waiting', 'running', 'done', 'failed', 'canceled', 'interrupted', 'missed'])
  .meta({ id: 'RunState' })
export type RunState = z.output<typeof runState>

export const progress = z
  .object({
    phase: z.string(),
    done: z.number().optional(),
    total: z.number().optional(),
    unit: z.enum(['bytes', 'rows', 'items']),
    detail: z.string().optional(),
  })
  .meta({ id: 'Progress' })
export type Progress = z.output<typeof progress>

export const run = z
  .object({
    id: z.ulid(),
    command: runCommand,
    /** As it would be typed, without secrets: "pgrevive backup shop". */
    commandLine: z.string(),
    databases: z.array(z.string()),
    repositories: z.array(z.string()),
    schedule: z.string().nullable(),
    /** Who or what began it: a schedule, one that was missed, a person or token, or a run before that was interrupted. */
    cause: z.enum(['schedule', 'caught-up', 'request', 'again']),
    /** The person or token; null for the service itself. */
    by: z.string().nullable(),
    state: runState,
    /** When the schedule wanted it. */
    dueAt: time.nullable(),
    createdAt: time,
    startedAt: time.nullable(),
    /** Of one that was interrupted by the end of the service: when the next one saw that; how long it took nobody knows. */
    endedAt: time.nullable(),
    exitCode: z.int().nullable(),
    error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }).nullable(),
    /** Backups that it made or is about. */
    backups: z.array(z.string()),
    warnings: z.int(),
    /** While it runs. */
    progress: progress.nullable(),
  })
  .meta({ id: 'Run' })
export type Run = z.output<typeof run>

/** With the document that the command printed with --json. */
export const runDetail = run.extend({ result: z.unknown().nullable() }).meta({ id: 'RunDetail' })
export type RunDetail = z.output<typeof runDetail>

export const logLine = z
  .object({ at: time, level: z.enum(['info', 'warning', 'error']), text: z.string() })
  .meta({ id: 'LogLine' })
export type LogLine = z.output<typeof logLine>

const databases = z.array(name).max(1000).describe('Names of pgrevive.yaml; empty for all').default([])
const repositories = z.array(name).max(100).describe('Names of pgrevive.yaml; empty for all').default([])

/** A bare name: of a configured database, or of one to make on the server that the backup is of. No connection string. */
const databaseName = name.refine((text) => !/[\0\n\r]|:\/\/|=/.test(text), 'must be a name, not a connection string')
const backupId = z.ulid()
const tableName = z.object({ schema: name, name })

/** What can be asked for by POST /api/runs, each with the scope that it needs. */
export const runRequest = z
  .discriminatedUnion('command', [
    z.object({
      command: z.literal('backup'),
      databases,
      comment: z.string().max(500).optional(),
      prove: z.boolean().describe('Prove each database as soon as it is backed up').default(false),
    }),
    z.object({ command: z.literal('prove'), databases, backup: backupId.optional() }),
    z.object({
      command: z.literal('check'),
      repositories,
      level: z.enum(['list', 'structure', 'bits', 'content']).default('structure'),
    }),
    z.object({ command: z.literal('sync'), from: name.optional(), to: name.optional() }),
    z.object({ command: z.literal('forget'), databases, repositories }),
    z.object({ command: z.literal('prune'), repositories }),
    z.object({ command: z.literal('refresh'), refresh: name }),
    z.object({
      command: z.literal('restore'),
      way: z.enum(['new', 'in-place', 'rows', 'replace', 'undo', 'finish', 'resume', 'abort']),
      backup: backupId.optional().describe('Not with undo, finish, resume and abort'),
      repository: name.optional(),
      /** The live database for in-place, replace, undo, finish, resume and abort; the one to make for new. */
      to: databaseName,
      /** Must be the name of the database whose contents are replaced or dropped. */
      confirm: z.string().max(200).optional(),
      tables: z.array(tableName).max(1000).default([]),
      intoSchema: name.optional(),
      as: tableName.optional(),
      /** An expression of SQL, which the server runs with the rights of pgrevive's role: needs `administer`, too. */
      where: z.string().max(10_000).optional(),
      owner: z.boolean().default(true),
      privileges: z.boolean().default(true),
      createRoles: z.boolean().default(false),
      safetyBackup: z.boolean().default(true),
      hooks: z.boolean().default(true),
    }),
  ])
  .meta({ id: 'RunRequest' })
export type RunRequest = z.input<typeof runRequest>

export const scopeOfCommand = {
  backup: 'operate',
  prove: 'operate',
  check: 'operate',
  sync: 'operate',
  list: 'operate',
  refresh: 'operate',
  restore: 'restore',
  forget: 'administer',
  prune: 'administer',
} as const satisfies Record<RunCommand, string>
