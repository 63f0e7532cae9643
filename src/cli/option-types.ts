import type { Compression } from '../export/compression.ts'
import { type ExportFormat, exportFormats } from '../export/export-backup.ts'
import { retentionMs, retentionTime, text } from '../config/value-types.ts'
import { parseNames } from '../postgres/sql/names.ts'
import { z } from 'zod'

/** A switch: absent is false. */
export const flag = z.boolean().default(false)

/** A switch that is on until its `--no-` form is given. */
export const flagOn = z.boolean().default(true)

/** `name` or `schema.name`, as in SQL: odd names in double quotes. */
export const qualifiedName = z.string().transform((value, context) => {
  const [first, second, ...rest] = parseNames(value, '.') ?? []
  if (first !== undefined && rest.length === 0) return { schema: second && first, name: second ?? first }
  context.addIssue('must be NAME or SCHEMA.NAME, odd names in double quotes')
  return z.NEVER
})

/** `name`, as in SQL. */
export const sqlName = z.string().transform((value, context) => {
  const [name, ...rest] = parseNames(value, '.') ?? []
  if (name !== undefined && rest.length === 0) return name
  context.addIssue('must be a name, an odd one in double quotes')
  return z.NEVER
})

/** `a, b`, as in SQL. */
export const sqlNames = z.string().transform((value, context) => {
  const names = parseNames(value, ',')
  if (names) return names
  context.addIssue('must be names parted by commas, odd ones in double quotes')
  return z.NEVER
})

/** An option that may be given several times. */
export const texts = z.array(text).default([])

export function wholeNumber(range: { min: number; max: number }) {
  const message = `must be a whole number from ${range.min} to ${range.max}`
  return z
    .string()
    .regex(/^[0-9]{1,15}$/, message)
    .transform(Number)
    .refine((value) => value >= range.min && value <= range.max, message)
}

/** Connections that work at the same time. */
export const jobs = wholeNumber({ min: 1, max: 64 })

const multiples: Readonly<Record<string, number>> = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20 }

/** `64KiB`, `1MiB` or plain bytes, in bytes. */
export const chunkSize = z.string().transform((value, context) => {
  const [, digits = '', unit = ''] = /^([0-9]{1,9})(|KiB|MiB)$/.exec(value) ?? []
  const sizeBytes = digits === '' ? 0 : Number(digits) * (multiples[unit] ?? 0)
  if (sizeBytes >= 2 ** 12 && sizeBytes <= 2 ** 22 && Number.isInteger(Math.log2(sizeBytes))) return sizeBytes
  context.addIssue('must be a power of two from 4KiB to 4MiB, such as 64KiB')
  return z.NEVER
})

/** A moment, to the second at least, with its offset from UTC. */
export const moment = z
  .string()
  .transform((text) => text.replace(' ', 'T'))
  .pipe(z.iso.datetime({ offset: true, error: 'must be a time such as 2026-11-22T08:00:00Z' }))
  .transform((text) => new Date(text))
  .refine((time) => time.getTime() <= Date.now(), 'must not be in the future')

/** `36h`, `14d`, `8w`, in milliseconds. */
export const keepWithin = z
  .string()
  .regex(retentionTime, 'must be a number of hours, days or weeks, such as 36h, 14d or 8w')
  .transform(retentionMs)

/** Whose value may be a secret key by mistake, and is therefore never repeated. */
export const recipient = z
  .string()
  .regex(/^age1[0-9a-z]{10,}$/, 'must be an age recipient, which begins with "age1" and is not a secret key')

export interface RoleMapping {
  readonly from: string
  readonly to: string
}

/** `old=new`; neither name may hold an equals sign. */
export const roleMapping = z.string().transform((value, context): RoleMapping => {
  const [from = '', to = '', ...rest] = value.split('=')
  if (from !== '' && to !== '' && rest.length === 0) return { from, to }
  context.addIssue('must be OLD=NEW, the name of a role and the name it becomes')
  return z.NEVER
})

/** In full or by the first letter, as pg_dump takes them. */
export const exportFormat = z
  .string()
  .default('plain')
  .transform((value, context): ExportFormat => {
    const format = exportFormats.find((name) => value === name || value === name[0])
    if (format !== undefined) return format
    context.addIssue(`must be ${exportFormats.join(', ')}, or the first letter`)
    return z.NEVER
  })

const highestLevels = { gzip: 9, zstd: 22 } as const

/** `none`, `gzip`, `zstd`, `gzip:1`; a number alone is a level of gzip, and 0 none, as pg_dump takes them. */
export const compression = z.string().transform((value, context): Compression => {
  const [, name, digits] = /^(?:(none|gzip|zstd)(?=:|$))?:?([0-9]{1,2})?$/.exec(value) ?? []
  const method = name ?? (digits === undefined ? undefined : 'gzip')
  const level = digits === undefined ? undefined : Number(digits)
  if (value === 'none' || value === '0') return { method: 'none' }
  if ((method === 'gzip' || method === 'zstd') && (level ?? 1) >= 1 && (level ?? 1) <= highestLevels[method]) {
    return { method, level }
  }
  context.addIssue('must be none, gzip or zstd, or with a level, such as gzip:1 (to 9) or zstd:3 (to 22)')
  return z.NEVER
})

/** `check`'s levels, each of which includes the ones before. */
export const checkLevels = ['list', 'structure', 'bits', 'content'] as const
export type CheckLevel = (typeof checkLevels)[number]

export const checkLevel = z.string().transform((value, context): CheckLevel => {
  const level = checkLevels.find((name, index) => value === name || value === String(index))
  if (level !== undefined) return level
  context.addIssue(`must be ${checkLevels.map((name, index) => `${index} or ${name}`).join(', ')}`)
  return z.NEVER
})

/** Refuses what `--schema-only --data-only` would leave: nothing. */
export function notBothOnly(options: { schemaOnly: boolean; dataOnly: boolean }): boolean {
  return !(options.schemaOnly && options.dataOnly)
}

export const notBothOnlyMessage = '--schema-only and --data-only exclude each other'
