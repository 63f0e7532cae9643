import { z } from 'zod'
import { name, time } from './common.ts'

export const repository = z
  .object({
    name,
    /** Without secrets. */
    place: z.string(),
    kind: z.enum(['directory', 's3', 'gs', 'azure', 'sftp', 'memory']),
    reachable: z.boolean().nullable(),
    error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }).nullable(),
    lookedAt: time.nullable(),
    backups: z.int(),
    /** What all backups hold, uncompressed; null before anything was looked at. */
    bytes: z.number().nullable(),
    /** What it takes in the store. */
    stored: z.number().nullable(),
    /** bytes / unique bytes, and unique bytes / stored: factors. */
    dedup: z.number().nullable(),
    compression: z.number().nullable(),
    lastCheck: z.object({ at: time, level: z.string(), ok: z.boolean() }).nullable(),
    /** One a day, the newest 90, oldest first. */
    growth: z.array(z.object({ date: z.iso.date(), stored: z.number() })),
  })
  .meta({ id: 'Repository' })
export type Repository = z.output<typeof repository>

export const repositoryKey = z
  .object({
    id: z.string(),
    name: z.string(),
    kind: z.string(),
    access: z.enum(['read', 'write']),
    createdAt: time.nullable(),
  })
  .meta({ id: 'RepositoryKey' })
export type RepositoryKey = z.output<typeof repositoryKey>

export const newRepository = z
  .object({
    name: name.regex(/^[A-Za-z0-9][\w.-]*$/, 'must be letters, digits, ".", "_" and "-"'),
    place: z.string().min(1).max(2000),
    /** Make it there; otherwise one must be there. */
    init: z.boolean().default(true),
  })
  .meta({ id: 'NewRepository' })
export type NewRepository = z.input<typeof newRepository>

/** Given once, when the repository is made. */
export const initializedRepository = z
  .object({ repository, recoveryKit: z.string().nullable() })
  .meta({ id: 'InitializedRepository' })
export type InitializedRepository = z.output<typeof initializedRepository>

const keep = z.int().min(0).optional()
export const retentionPolicy = z
  .object({
    keep_last: keep,
    keep_within: z.string().optional(),
    keep_hourly: keep,
    keep_daily: keep,
    keep_weekly: keep,
    keep_monthly: keep,
    keep_yearly: keep,
    minimum: z.int().min(1).optional(),
  })
  .meta({ id: 'RetentionPolicy' })
export type RetentionPolicy = z.output<typeof retentionPolicy>

/** As it would be decided if "forget" ran now; without a policy, by what pgrevive.yaml says. */
export const retentionPreviewRequest = z
  .object({ policy: retentionPolicy.optional(), repository: name.optional() })
  .meta({ id: 'RetentionPreviewRequest' })
export const retentionPreview = z
  .object({
    decisions: z.array(
      z.object({
        backup: z.string(),
        database: z.string(),
        takenAt: time,
        keep: z.boolean(),
        reasons: z.array(z.string()),
      }),
    ),
  })
  .meta({ id: 'RetentionPreview' })
export type RetentionPreview = z.output<typeof retentionPreview>
