import {
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectLockConfigurationCommand,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import type { AbortOptions } from '../object-store.ts'
import type { StoreTraits } from '../probe/store-traits.ts'
import { createS3Client } from './s3-client.ts'
import type { S3Place } from './s3-place.ts'

/** Asked once each: what fails stays unknown. `key` names an object that is there. */
export async function inspectBucket(place: S3Place, key: string, { signal }: AbortOptions): Promise<StoreTraits> {
  const client = createS3Client(place, { connectMs: 10_000, silenceMs: 30_000 })
  const abort = signal ? { abortSignal: signal } : {}
  const ask = async <Result>(question: () => Promise<Result>, known: Readonly<Record<string, Result>> = {}) => {
    try {
      return await question()
    } catch (error) {
      signal?.throwIfAborted()
      return error instanceof S3ServiceException ? known[error.name] : undefined
    }
  }
  try {
    return {
      conditionalPut: await ask<boolean>(
        () => putAgain(client, { Bucket: place.bucket, Key: `${place.prefix}${key}` }, abort),
        {
          PreconditionFailed: true,
          NotImplemented: false,
        },
      ),
      versioning: await ask<NonNullable<StoreTraits['versioning']>>(async () => {
        const { Status } = await client.send(new GetBucketVersioningCommand({ Bucket: place.bucket }), abort)
        return Status === 'Enabled' ? 'on' : Status === 'Suspended' ? 'suspended' : 'off'
      }),
      objectLock: await ask<NonNullable<StoreTraits['objectLock']>>(() => lockOf(client, place, abort), {
        ObjectLockConfigurationNotFoundError: 'off',
        ObjectLockConfigurationNotFound: 'off',
      }),
    }
  } finally {
    client.destroy()
  }
}

type Abort = { readonly abortSignal?: AbortSignal }

/** Whether the server heeds that it shall not: false if it puts what it has, as it is, once more. */
async function putAgain(client: S3Client, object: { Bucket: string; Key: string }, abort: Abort): Promise<boolean> {
  const { Body } = await client.send(new GetObjectCommand(object), abort)
  const content = (await Body?.transformToByteArray()) ?? Buffer.alloc(0)
  await client.send(new PutObjectCommand({ ...object, Body: content, IfNoneMatch: '*' }), abort)
  return false
}

async function lockOf(client: S3Client, place: S3Place, abort: Abort): Promise<NonNullable<StoreTraits['objectLock']>> {
  const answer = await client.send(new GetObjectLockConfigurationCommand({ Bucket: place.bucket }), abort)
  const { ObjectLockEnabled, Rule } = answer.ObjectLockConfiguration ?? {}
  if (ObjectLockEnabled !== 'Enabled') return 'off'
  if (place.lock) return { mode: place.lock.mode, period: `${place.lock.days} days` }
  const { Mode = '', Days, Years } = Rule?.DefaultRetention ?? {}
  if (Days === undefined && Years === undefined) return 'on'
  return { mode: Mode.toLowerCase(), period: Days === undefined ? `${Years} years` : `${Days} days` }
}
