import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { foreignObject, largestObjectBytes, missingObject } from '../keys.ts'
import type { AbortOptions, ByteRange } from '../object-store.ts'
import { readBody } from '../read-body.ts'
import { abort, isAnswer } from './s3-answers.ts'

/** One request for an object, or a version of it, to the end of its body; what `ObjectStore.get` promises, but tried once. */
export async function getObject(
  client: S3Client,
  object: {
    readonly Bucket: string
    readonly Key: string
    readonly VersionId?: string | undefined
    /** How errors name it: its key in the store, and where that is. */
    readonly key: string
    readonly location: string
  },
  options: AbortOptions & { readonly range?: ByteRange },
): Promise<Buffer> {
  const { Bucket, Key, VersionId, key, location } = object
  const { range } = options
  const input = {
    Bucket,
    Key,
    ...(VersionId !== undefined && { VersionId }),
    ...(range && { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` }),
  }
  try {
    const { Body, ContentLength = 0 } = await client.send(new GetObjectCommand(input), abort(options))
    const bytes = await readBody(Body, ContentLength, largestObjectBytes)
    if (bytes) return bytes
  } catch (error) {
    if (isAnswer(error, 'NoSuchKey', 'NoSuchVersion')) throw missingObject(key, location, error)
    if (isAnswer(error, 'InvalidRange')) return Buffer.alloc(0) // it begins behind the end
    throw error
  }
  throw foreignObject(key, location)
}
