import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'

/** A folder of a bucket. */
export interface S3Place {
  readonly kind: 's3'
  readonly bucket: string
  /** Empty, or a folder name that ends in `/`. */
  readonly prefix: string
  /** Undefined: Amazon's, or what the SDK's own settings say. */
  readonly endpoint: string | undefined
  /** Undefined: what the SDK's own settings say. */
  readonly region: string | undefined
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. */
  readonly pathStyle: boolean
  /** Whether objects are stored with a checksum of their own, which old servers do not know. */
  readonly checksums: boolean
}

const endpoint = z
  .string()
  .transform((text) => (text.includes('://') ? text : `https://${text}`))
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), 'is no http:// or https:// URL')
  .refine((text) => !hasUser(text), 'holds credentials')
  .refine((text) => !/[?#]/.test(text), 'has a query; write %26 for & in it')
  .transform((text) => text.replace(/\/+$/, ''))

const urlSchema = z.object({
  bucket: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/, 'is no name of a bucket'),
  prefix: z
    .string()
    .transform((path) => path.replace(/^\/|\/+$/g, ''))
    .refine((path) => !/^\/|\/\/|\p{Cc}/u.test(path), 'has an empty name or a control character')
    .transform((path) => (path === '' ? '' : `${path}/`)),
  options: z.strictObject({
    endpoint: endpoint.optional(),
    region: z
      .string()
      .regex(/^[a-z0-9-]+$/, 'is no name of a region')
      .optional(),
    'path-style': z.stringbool({ truthy: ['true'], falsy: ['false'], error: 'must be true or false' }).optional(),
    checksums: z.stringbool({ truthy: ['on'], falsy: ['off'], error: 'must be on or off' }).default(true),
  }),
})

const hint =
  'write s3://bucket/prefix?endpoint=https://…&region=…&path-style=true&checksums=off, all after the bucket if needed; ' +
  'credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or whatever else the AWS SDK reads'

/** Throws `usage-invalid`, without what the URL holds: it may be a secret that somebody wrote there. */
export function parseS3Place(text: string): S3Place {
  if (!URL.canParse(text)) throw invalid(['it can not be read as a URL'])
  const url = new URL(text)
  if (hasUser(text) || url.hash !== '')
    throw invalid(['it holds credentials, or a "#"; who can list processes sees them'])
  const parsed = urlSchema.safeParse({
    bucket: url.host,
    prefix: decoded(url.pathname),
    options: Object.fromEntries(url.searchParams),
  })
  if (!parsed.success) throw invalid(parsed.error.issues.map(problemOf))
  const { bucket, prefix, options } = parsed.data
  return {
    kind: 's3',
    bucket,
    prefix,
    endpoint: options.endpoint,
    region: options.region,
    pathStyle: options['path-style'] ?? options.endpoint !== undefined,
    checksums: options.checksums,
  }
}

/** The URL of a place, which `parseS3Place` reads as the same. */
export function formatS3Place({ bucket, prefix, endpoint, region, pathStyle, checksums }: S3Place): string {
  const options = [
    ...(endpoint === undefined ? [] : [`endpoint=${encodeURI(endpoint)}`]),
    ...(region === undefined ? [] : [`region=${region}`]),
    ...(pathStyle === (endpoint !== undefined) ? [] : [`path-style=${pathStyle}`]),
    ...(checksums ? [] : ['checksums=off']),
  ]
  const path = prefix.split('/').map(encodeURIComponent).join('/').replace(/\/$/, '')
  return `s3://${bucket}${path === '' ? '' : `/${path}`}${options.length === 0 ? '' : `?${options.join('&')}`}`
}

function hasUser(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { username, password } = new URL(text)
  return username !== '' || password !== ''
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return '\0' // no prefix either
  }
}

function problemOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') return 'it has options that are not known'
  return `its ${String(issue.path.at(-1))} ${issue.message}`
}

function invalid(problems: readonly string[]): AppError {
  return new AppError('usage-invalid', `the s3:// URL of the repository is wrong: ${problems.join('; ')}`, { hint })
}
