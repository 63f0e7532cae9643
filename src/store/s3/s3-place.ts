import { z } from 'zod'
import { endpointSchema, formatPlaceUrl, parsePlaceUrl, prefixSchema } from '../place-url.ts'

/** A folder of a bucket. */
export interface S3Place {
  /** Google's servers understand most of what Amazon's do. */
  readonly kind: 's3' | 'gs'
  readonly bucket: string
  /** Empty, or a folder name that ends in `/`. */
  readonly prefix: string
  /** Undefined: Amazon's, or what the SDK's own settings say. */
  readonly endpoint: string | undefined
  /** Undefined: what the SDK's own settings say. */
  readonly region: string | undefined
  /** `endpoint/bucket/key` instead of `bucket.endpoint/key`. */
  readonly pathStyle: boolean
  /** What the server is to compare objects with on arrival, beside their signature; old ones know no `sha256`. */
  readonly checksum: 'sha256' | 'md5' | 'none'
  /** Undefined: the bucket's. */
  readonly storageClass: string | undefined
  /** How the server encrypts what is encrypted already; undefined: as the bucket says. */
  readonly encryption: { readonly kind: 'AES256' | 'aws:kms'; readonly key: string | undefined } | undefined
  /** Objects can not be removed, nor their versions, for so long after they were put. */
  readonly lock: { readonly days: number; readonly mode: 'compliance' | 'governance' } | undefined
}

const bucketSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/, 'is no name of a bucket')

const s3Schema = z.object({
  bucket: bucketSchema,
  prefix: prefixSchema,
  options: z.strictObject({
    endpoint: endpointSchema.optional(),
    region: z
      .string()
      .regex(/^[a-z0-9-]+$/, 'is no name of a region')
      .optional(),
    'path-style': z.stringbool({ truthy: ['true'], falsy: ['false'], error: 'must be true or false' }).optional(),
    checksums: z.stringbool({ truthy: ['on'], falsy: ['off'], error: 'must be on or off' }).default(true),
    'storage-class': z
      .string()
      .regex(/^[A-Z0-9_]+$/, 'is no name of a storage class')
      .refine((name) => !/^(GLACIER|DEEP_ARCHIVE)$/.test(name), 'can not be read at once, which backups need')
      .optional(),
    sse: z.enum(['AES256', 'aws:kms'], 'must be AES256 or aws:kms').optional(),
    'kms-key': z
      .string()
      .regex(/^[\w:/-]+$/, 'is no name of a key')
      .optional(),
    'lock-days': z
      .string()
      .regex(/^[1-9]\d{0,3}$/, 'must be a number of days')
      .transform(Number)
      .optional(),
    'lock-mode': z.enum(['compliance', 'governance'], 'must be compliance or governance').default('compliance'),
  }),
})

const s3Hint =
  'write s3://bucket/prefix?endpoint=https://…&region=…, all after the bucket if needed (docs/how-to/s3.md has every option); ' +
  'credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or whatever else the AWS SDK reads'

/** Throws `usage-invalid`, without what the URL holds. */
export function parseS3Place(text: string): S3Place {
  const { bucket, prefix, options } = parsePlaceUrl(text, s3Schema, { holder: 'bucket', hint: s3Hint })
  return {
    kind: 's3',
    bucket,
    prefix,
    endpoint: options.endpoint,
    region: options.region,
    pathStyle: options['path-style'] ?? options.endpoint !== undefined,
    checksum: options.checksums ? 'sha256' : 'none',
    storageClass: options['storage-class'],
    encryption: options.sse && { kind: options.sse, key: options['kms-key'] },
    lock: options['lock-days'] === undefined ? undefined : { days: options['lock-days'], mode: options['lock-mode'] },
  }
}

const google = 'https://storage.googleapis.com'

const gsSchema = z.object({
  bucket: bucketSchema,
  prefix: prefixSchema,
  options: z.strictObject({ endpoint: endpointSchema.default(google) }),
})

const gsHint =
  'write gs://bucket/prefix; credentials are an HMAC key of Google Cloud Storage in AWS_ACCESS_KEY_ID and ' +
  'AWS_SECRET_ACCESS_KEY, or in a profile that AWS_PROFILE names'

/**
 * Google Cloud Storage by its XML API, which takes requests to S3. It compares no checksums of Amazon's, but MD5, and
 * calls every region `auto`: https://docs.cloud.google.com/storage/docs/aws-simple-migration and
 * /storage/docs/xml-api/put-object-upload. Throws `usage-invalid`, without what the URL holds.
 */
export function parseGsPlace(text: string): S3Place {
  const { bucket, prefix, options } = parsePlaceUrl(text, gsSchema, { holder: 'bucket', hint: gsHint })
  return {
    kind: 'gs',
    bucket,
    prefix,
    endpoint: options.endpoint,
    region: 'auto',
    pathStyle: true,
    checksum: 'md5',
    storageClass: undefined,
    encryption: undefined,
    lock: undefined,
  }
}

/** The URL of a place, which is read as the same. */
export function formatS3Place(place: S3Place): string {
  const { kind, bucket, prefix, endpoint, region, pathStyle, checksum, storageClass, encryption, lock } = place
  const server = endpoint === undefined || (kind === 'gs' && endpoint === google) ? undefined : encodeURI(endpoint)
  if (kind === 'gs') return formatPlaceUrl(kind, bucket, prefix, { endpoint: server })
  return formatPlaceUrl(kind, bucket, prefix, {
    endpoint: server,
    region,
    'path-style': pathStyle === (endpoint !== undefined) ? undefined : String(pathStyle),
    checksums: checksum === 'none' ? 'off' : undefined,
    'storage-class': storageClass,
    sse: encryption?.kind,
    'kms-key': encryption?.key,
    'lock-days': lock && String(lock.days),
    'lock-mode': lock?.mode === 'governance' ? lock.mode : undefined,
  })
}
