import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import {
  type GetObjectCommandOutput,
  type ListObjectsV2Command,
  type PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
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
  return new S3Client(config)
}

async function regionOfSettings(): Promise<string> {
  return new S3Client().config.region().catch(() => 'us-east-1')
}

/** Signs what was hashed already: the server compares it with what arrives, however old it is. */
export function signHash(command: PutObjectCommand, sha256: Buffer): void {
  command.middlewareStack.add(
    (next) => (call) => {
      headersOf(call.request)['x-amz-content-sha256'] = sha256.toString('hex')
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
      tell(new Date(String(headersOf(answer.response)['date'])))
      return answer
    },
    { step: 'deserialize' },
  )
}

/** The body of an answer; undefined, and read no further, if it is longer than `mostBytes`. */
export async function readBody(
  { Body, ContentLength = 0 }: Pick<GetObjectCommandOutput, 'Body' | 'ContentLength'>,
  mostBytes: number,
): Promise<Buffer | undefined> {
  if (!(Body instanceof Readable)) throw new TypeError('the answer has no body')
  const pieces: Buffer[] = []
  let bytes = 0
  let isTooLong = ContentLength > mostBytes
  Body.on('data', (piece: Buffer) => {
    pieces.push(piece)
    bytes += piece.length
    if (bytes <= mostBytes) return
    isTooLong = true
    Body.destroy()
  })
  if (isTooLong) Body.destroy()
  try {
    await finished(Body)
  } catch (error) {
    if (!isTooLong) throw error
  }
  return isTooLong ? undefined : Buffer.concat(pieces, bytes)
}

function headersOf(message: unknown): Record<string, unknown> {
  const isMessage = typeof message === 'object' && message !== null && 'headers' in message
  if (!isMessage || typeof message.headers !== 'object') throw new TypeError('the SDK hands over no HTTP message')
  return message.headers as Record<string, unknown>
}
