import { z } from 'zod'
import { AppError } from '../core/app-error.ts'
import { decoded, problemOf } from '../core/url-problem.ts'

/** A server; `https://` where nothing else is said. */
export const endpointSchema = z
  .string()
  .transform((text) => (text.includes('://') ? text : `https://${text}`))
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), 'is no http:// or https:// URL')
  .refine((text) => !hasUser(text), 'holds credentials')
  .refine((text) => !/[?#]/.test(text), 'has a query; write %26 for & in it')
  .transform((text) => text.replace(/\/+$/, ''))

/** Becomes empty, or a folder name that ends in `/`. */
export const prefixSchema = z
  .string()
  .transform((path) => path.replace(/^\/|\/+$/g, ''))
  .refine((path) => !/^\/|\/\/|\p{Cc}/u.test(path), 'has an empty name or a control character')
  .transform((path) => (path === '' ? '' : `${path}/`))

/**
 * Reads `scheme://holder/prefix?options` by a schema of these three, the first under the name that it has there. Throws
 * `usage-invalid`, without what the URL holds: it may be a secret that somebody wrote there.
 */
export function parsePlaceUrl<Schema extends z.ZodType>(
  text: string,
  schema: Schema,
  { holder, hint }: { readonly holder: 'bucket' | 'container'; readonly hint: string },
): z.output<Schema> {
  const [scheme = ''] = text.toLowerCase().split(':', 1)
  const invalid = (problems: readonly string[]) =>
    new AppError('usage-invalid', `the ${scheme}:// URL of the repository is wrong: ${problems.join('; ')}`, { hint })
  if (!URL.canParse(text)) throw invalid(['it can not be read as a URL'])
  const url = new URL(text)
  if (hasUser(text) || url.hash !== '')
    throw invalid(['it holds credentials, or a "#"; who can list processes sees them'])
  const parsed = schema.safeParse({
    [holder]: url.host,
    prefix: decoded(url.pathname),
    options: Object.fromEntries(url.searchParams),
  })
  if (parsed.success) return parsed.data
  throw invalid(parsed.error.issues.map(problemOf))
}

/** The URL of a place, which `parsePlaceUrl` reads as the same; options that are undefined are left out. */
export function formatPlaceUrl(
  scheme: string,
  holder: string,
  prefix: string,
  options: Readonly<Record<string, string | undefined>>,
): string {
  const path = prefix.split('/').map(encodeURIComponent).join('/').replace(/\/$/, '')
  const query = Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : `${name}=${value}`))
  return `${scheme}://${holder}${path === '' ? '' : `/${path}`}${query.length === 0 ? '' : `?${query.join('&')}`}`
}

/** Of `scheme://holder/folder/name?options`; the name is empty for the whole holder. */
export function splitPlaceUrl(url: string): {
  readonly folder: string
  readonly name: string
  readonly options: string
} {
  const {
    holder = '',
    path = '',
    options = '',
  } = /^(?<holder>[^:]+:\/\/[^/?]+)\/*(?<path>[^?]*?)\/*(?<options>\?.*)?$/s.exec(url)?.groups ?? {}
  const end = path.lastIndexOf('/') + 1
  return { folder: `${holder}/${path.slice(0, end)}`, name: path.slice(end), options }
}

function hasUser(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { username, password } = new URL(text)
  return username !== '' || password !== ''
}
