import { z } from 'zod'
import { name, time } from './common.ts'

/** ok, at risk or failing against its objectives; unknown before anything was looked at. */
export const objectiveState = z.enum(['ok', 'at-risk', 'failing', 'unknown']).meta({ id: 'ObjectiveState' })
export type ObjectiveState = z.output<typeof objectiveState>

/** Milliseconds; null where nothing is demanded. */
export const objectives = z
  .object({ rpo: z.number().nullable(), proveEvery: z.number().nullable(), restoreWithin: z.number().nullable() })
  .meta({ id: 'Objectives' })
export type Objectives = z.output<typeof objectives>

export const reason = z
  .object({
    objective: z.enum(['rpo', 'prove-every', 'restore-within', 'runs', 'repositories']),
    state: objectiveState,
    /** A sentence: "the newest backup is 2 days old, and may be 1 day old". */
    text: z.string(),
    /** What to do, in words or as a command. */
    remedy: z.string().nullable(),
  })
  .meta({ id: 'Reason' })
export type Reason = z.output<typeof reason>

export const proofOutcome = z.enum(['unproven', 'proven', 'refuted'])

/** One day of the strip, in the time zone of the service. */
export const day = z
  .object({
    date: z.iso.date(),
    backups: z.int(),
    proven: z.int(),
    failed: z.int(),
    refuted: z.int(),
    missed: z.int(),
    bytes: z.number().nullable(),
    stored: z.number().nullable(),
  })
  .meta({ id: 'Day' })
export type Day = z.output<typeof day>

export const databaseSummary = z
  .object({
    name,
    /** user@host:port/database, without secrets; null for one that is in the repository alone. */
    source: z.string().nullable(),
    /** The server of pgrevive.yaml that it was discovered on. */
    server: z.string().nullable(),
    /** Discovered, and not there any more; or configured no more, with backups left. */
    gone: z.boolean(),
    state: objectiveState,
    reasons: z.array(reason),
    objectives,
    /** The snapshot of the newest backup that is proven and can be reached: to when it could be restored, as is known. */
    restorableTo: time.nullable(),
    lastBackup: z
      .object({ id: z.ulid(), at: time, bytes: z.number(), stored: z.number(), proof: proofOutcome })
      .nullable(),
    lastProof: z
      .object({ backup: z.ulid(), at: time, outcome: z.enum(['proven', 'refuted']), tookMs: z.number() })
      .nullable(),
    /** The newest 30 days, oldest first. */
    days: z.array(day),
    /** The next scheduled backup. */
    nextRun: time.nullable(),
    /** Its backup that runs or waits. */
    running: z.ulid().nullable(),
  })
  .meta({ id: 'DatabaseSummary' })
export type DatabaseSummary = z.output<typeof databaseSummary>

/** Where a backup lies. */
export const backupPlace = z.object({ repository: name, committedAt: time, stored: z.number() })

export const backup = z
  .object({
    id: z.ulid(),
    database: name,
    startedAt: time,
    finishedAt: time,
    snapshotAt: time,
    serverVersion: z.string(),
    comment: z.string().nullable(),
    /** What it leaves out, in words. */
    leftOut: z.string().nullable(),
    imported: z.boolean(),
    tables: z.int(),
    rows: z.number(),
    bytes: z.number(),
    /** What it added, in the repository it was first stored in. */
    stored: z.number(),
    places: z.array(backupPlace),
    proof: z
      .object({
        outcome: z.enum(['proven', 'refuted']),
        at: time,
        tookMs: z.number(),
        on: z.string(),
        differences: z.array(z.object({ object: z.string(), problem: z.string() })),
        notes: z.array(z.string()),
      })
      .nullable(),
    pin: z.object({ at: time, reason: z.string() }).nullable(),
  })
  .meta({ id: 'Backup' })
export type Backup = z.output<typeof backup>

export const backupTable = z
  .object({
    schema: z.string(),
    name: z.string(),
    columns: z.array(z.string()),
    rows: z.number(),
    bytes: z.number(),
    /** Against the backup of the same database before; null where there is none, or the table was not in it. */
    change: z.object({ rows: z.number(), bytes: z.number(), same: z.boolean() }).nullable(),
    /** Its rows were left out. */
    leftOut: z.boolean(),
  })
  .meta({ id: 'BackupTable' })
export type BackupTable = z.output<typeof backupTable>

export const backupDetail = backup
  .extend({
    before: z.ulid().nullable(),
    contents: z.array(backupTable),
    /** Tables of the backup before that this one lacks. */
    vanished: z.array(z.object({ schema: z.string(), name: z.string(), rows: z.number() })),
    sequences: z.int(),
    largeObjects: z.int(),
    extensions: z.array(z.object({ name: z.string(), version: z.string() })),
    warnings: z.array(z.string()),
  })
  .meta({ id: 'BackupDetail' })
export type BackupDetail = z.output<typeof backupDetail>

/** Rows of a table as a backup holds them; each value as PostgreSQL prints it, null for NULL, cut after 1,000 characters. */
export const rows = z
  .object({
    columns: z.array(z.string()),
    rows: z.array(z.array(z.string().nullable())),
    /** Rows read until enough were found, and whether the table goes on. */
    searched: z.number(),
    more: z.boolean(),
  })
  .meta({ id: 'Rows' })
export type Rows = z.output<typeof rows>

/** What restores in place have left of a database: what can be undone, finished, resumed or aborted. */
export const restoreState = z
  .object({
    database: name,
    /** Of a restore that did not end. */
    unfinished: z.object({ backup: z.string(), since: time.nullable() }).nullable(),
    /** Old databases that are kept, newest first. */
    kept: z.array(z.object({ name, since: time.nullable(), bytes: z.number(), kind: z.enum(['before', 'undone']) })),
  })
  .meta({ id: 'RestoreState' })
export type RestoreState = z.output<typeof restoreState>

/** What a restore would do: the document of "restore --plan". */
export const restorePlan = z
  .object({
    way: z.string(),
    target: z.string(),
    steps: z.array(z.string()),
    findings: z.array(z.object({ problem: z.string(), remedy: z.string().nullable(), stops: z.boolean() })),
    proof: z.object({ at: time, tookMs: z.number() }).nullable(),
    tables: z.int(),
    rows: z.number(),
    bytes: z.number(),
  })
  .meta({ id: 'RestorePlan' })
export type RestorePlan = z.output<typeof restorePlan>

/** A database to add. A password in the url, or beside it, is kept in a file of its own and never given out again. */
export const newDatabase = z
  .object({
    name: name
      .regex(/^[A-Za-z0-9][\w.-]*$/, 'must be letters, digits, ".", "_" and "-"')
      .refine((text) => text !== 'latest', '"latest" stands for the newest backup')
      .optional(),
    url: z.string().min(1).max(2000),
    password: z.string().max(1000).optional(),
    tunnel: z.string().max(500).optional(),
    objectives: z
      .object({ rpo: z.string().optional(), prove_every: z.string().optional(), restore_within: z.string().optional() })
      .optional(),
  })
  .meta({ id: 'NewDatabase' })
export type NewDatabase = z.input<typeof newDatabase>

/** What of a configured one is to be otherwise; another url comes with its password, if it has one. */
export const databaseChange = z
  .object({
    url: z.string().min(1).max(2000).optional(),
    password: z.string().max(1000).optional(),
    tunnel: z.string().max(500).nullable().optional(),
    objectives: newDatabase.shape.objectives,
  })
  .meta({ id: 'DatabaseChange' })

/** With the first database comes the first repository, if there was none; its recovery kit is shown this once. */
export const addedDatabase = databaseSummary
  .extend({ recoveryKit: z.string().nullable() })
  .meta({ id: 'AddedDatabase' })
export type AddedDatabase = z.output<typeof addedDatabase>

export const connectionTest = z
  .object({
    ok: z.boolean(),
    serverVersion: z.string().nullable(),
    database: z.string().nullable(),
    bytes: z.number().nullable(),
    tables: z.int().nullable(),
    error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }).nullable(),
  })
  .meta({ id: 'ConnectionTest' })
export type ConnectionTest = z.output<typeof connectionTest>
