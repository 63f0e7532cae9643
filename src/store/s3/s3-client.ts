import { type ListObjectsV2Command, type PutObjectCommand, S3Client, type S3ClientConfig } from '@aws-sdk/client-s3'
import type { S3Place } from './s3-place.ts'

/** How long to wait for a server that can not be reached, and for one that neither says nor takes anything. */
export interface S3Patience {
  readonly connectMs: number
  readonly silenceMs: number
}

/** A client with the credentials that the SDK finds in the environment, in ~/.aws, or from the host. */
export function createS3Client(place: S3Place, { connectMs, silenceMs }: S3Patience): S3Client {
  const { endpoint, region } = place
  const config: S3ClientConfig = {
    ...(endpoint !== undefined && { endpoint }),
    // most servers take any region
    ...(region !== undefined ? { region } : endpoint !== undefined && { region: regionOfSettings }),
    forcePathStyle: place.pathStyle,
    maxAttempts: 1, // the store tries again by itself: the SDK does not when a body breaks off
    requestHandler: { connectionTimeout: connectMs, socketTimeout: silenceMs },
    // what is put brings a checksum of its own, and what is read is authenticated
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  }
  const client = new S3Client(config)
  if (place.kind === 'gs') leaveOutOperationNames(client)
  return client
}

/** The SDK's `x-id=PutObject` means nothing to a server; Google's refuse what they do not know in some requests. */
function leaveOutOperationNames(client: S3Client): void {
  client.middlewareStack.add(
    (next) => (call) => {
      delete partOf(call.request, 'query')['x-id']
      return next(call)
    },
    { step: 'build' },
  )
}

async function regionOfSettings(): Promise<string> {
  return new S3Client().config.region().catch(() => 'us-east-1')
}

/** Signs what was hashed already: the server compares it with what arrives, however old it is. */
export function signHash(command: PutObjectCommand, sha256: Buffer): void {
  command.middlewareStack.add(
    (next) => (call) => {
      partOf(call.request, 'headers')['x-amz-content-sha256'] = sha256.toString('hex')
      return next(call)
    },
    { step: 'build' },
  )
}

/** Tells when the server answered, by its own clock, to the second. */
export function onDate(command: ListObjectsV2Command, tell: (date: Date) => void): void {
  command.middlewareStack.add(
    (next) => async (call) => {
      const answer = await next(call)
      tell(new Date(String(partOf(answer.response, 'headers')['date'])))
      return answer
    },
    { step: 'deserialize' },
  )
}

function partOf(message: unknown, name: 'headers' | 'query'): Record<string, unknown> {
  const part = typeof message === 'object' && message !== null ? Reflect.get(message, name) : undefined
  if (typeof part !== 'object' || part === null) throw new TypeError('the SDK hands over no HTTP message')
  return part as Record<string, unknown>
}
