import { z } from 'zod'
import type { PgDumpChoice } from '../postgres/pg-dump/pg-dump.ts'

// What values look like as text, in pgrevive.yaml and in options alike.

export const text = z.string().min(1, 'must not be empty')

const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

/** `500MB`, `2GiB` or plain bytes, in bytes. */
export const byteCount = z.string().transform((value, context) => {
  const bytes = parseBytes(value)
  if (bytes !== undefined) return bytes
  context.addIssue('must be a number of bytes, such as 500MB or 2GiB')
  return z.NEVER
})

function parseBytes(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^([0-9]{1,15}) ?([kKMGT]?i?B?)$/.exec(text) ?? []
  const factor = byteUnits[unit]
  return digits === '' || factor === undefined ? undefined : Number(digits) * factor
}

/** `10MB`, `512KiB`, in bytes per second. */
export const transferRate = z.string().transform((value, context) => {
  const bytesPerSecond = parseBytes(value)
  if (bytesPerSecond !== undefined && bytesPerSecond >= 1000) return bytesPerSecond
  context.addIssue('must be bytes per second, such as 10MB, and at least 1kB')
  return z.NEVER
})
/** How long backups are kept. */
export const retentionTime = /^([0-9]{1,5})([hdw])$/
const hourMs = 3600 * 1000
const retentionUnits: Readonly<Record<string, number>> = { h: hourMs, d: 24 * hourMs, w: 7 * 24 * hourMs }

export function retentionMs(text: string): number {
  const [, digits = '', unit = ''] = retentionTime.exec(text) ?? []
  return Number(digits) * (retentionUnits[unit] ?? NaN)
}

/** How long something may take. */
const timeLimitText = /^([0-9]{1,5})([smh])$/
const timeUnits: Readonly<Record<string, number>> = { s: 1000, m: 60 * 1000, h: hourMs }

export function timeLimitMs(text: string): number {
  const [, digits = '', unit = ''] = timeLimitText.exec(text) ?? []
  return Number(digits) * (timeUnits[unit] ?? NaN)
}

/** How long, as objectives and alerts say it. */
const timeSpanText = /^([0-9]{1,5})([smhdw])$/
const spanUnits: Readonly<Record<string, number>> = { ...timeUnits, ...retentionUnits }

export function timeSpanMs(text: string): number {
  const [, digits = '', unit = ''] = timeSpanText.exec(text) ?? []
  return Number(digits) * (spanUnits[unit] ?? NaN)
}

export const timeSpan = z
  .string()
  .regex(timeSpanText, 'must be a time such as 30m, 24h, 7d or 2w')
  .refine((text) => timeSpanMs(text) > 0, 'must be longer than nothing')

/** A timer of Node holds 24 days; one of more ends at once. */
const longestMs = 24 * 24 * hourMs

export const timeLimit = z
  .string()
  .regex(timeLimitText, 'must be a time such as 30s, 5m or 2h')
  .refine(
    (text) => timeLimitMs(text) > 0 && timeLimitMs(text) <= longestMs,
    'must be from 1s to 576h, which is 24 days',
  )

export const pgDumpChoice = text.transform((value): PgDumpChoice =>
  value === 'auto' || value === 'bundled' ? value : { path: value },
)
