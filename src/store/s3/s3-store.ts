import { createHash } from 'node:crypto'
import {
  ChecksumAlgorithm,
  DeleteObjectCommand,
  ListObjectsV2Command,
  ObjectLockMode,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type PutObjectCommandInput,
  PutObjectRetentionCommand,
  type S3Client,
  type StorageClass,
} from '@aws-sdk/client-s3'
import { AppError } from '../../core/app-error.ts'
import { requireKey } from '../keys.ts'
import type { AbortOptions, ByteRange, ObjectInfo, ObjectStore, OnTrouble, ReadObject } from '../object-store.ts'
import { readObjects } from '../read-objects.ts'
import { type ListedPage, listPages } from '../list-pages.ts'
import { PatientRequests, type Patience, usualPatience } from '../patient-requests.ts'
import { abort } from './s3-answers.ts'
import { getObject } from './get-object.ts'
import { type S3Patience, createS3Client, onDate, signHash } from './s3-client.ts'
import { s3Words } from './s3-errors.ts'
import { S3PastStore } from './s3-past-store.ts'
import { type S3Place, formatS3Place } from './s3-place.ts'

export type S3StorePatience = S3Patience & Patience

const usualS3Patience: S3StorePatience = { connectMs: 10_000, silenceMs: 60_000, ...usualPatience }

/** Objects below a prefix of a bucket. One request puts an object: packs are far below the 5 GiB that it may hold. */
export class S3Store implements ObjectStore {
  readonly location: string
  readonly extendLock?: ObjectStore['extendLock']
  readonly #place: S3Place
  readonly #client: S3Client
  readonly #requests: PatientRequests

  constructor(place: S3Place, options: Partial<S3StorePatience> & { readonly onTrouble?: OnTrouble | undefined } = {}) {
    const patience = { ...usualS3Patience, ...options }
    this.location = formatS3Place(place)
    this.#place = place
    this.#client = createS3Client(place, patience)
    this.#requests = new PatientRequests(this.location, {
      patience,
      words: s3Words(place),
      onTrouble: options.onTrouble,
    })
    if (place.lock) this.extendLock = (key, aborting) => this.#lock(key, aborting)
  }

  /** The same bucket, as it was. */
  asOf(at: Date): S3PastStore {
    const { location } = this
    return new S3PastStore(this.#place, at, { location, client: this.#client, requests: this.#requests, clock: this })
  }

  async put(key: string, parts: readonly Uint8Array[], options: AbortOptions = {}): Promise<void> {
    const body = parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts)
    const sha256 = createHash('sha256').update(body).digest()
    const input = {
      ...this.#objectAt(key),
      Body: body,
      ContentLength: body.length,
      ...checksumOf(body, sha256, this.#place.checksum),
      ...keepingOf(this.#place),
    }
    await this.#requests.run(this.#nameOf(key), options, async () => {
      const command = new PutObjectCommand(input)
      signHash(command, sha256)
      await this.#client.send(command, abort(options))
    })
  }

  async get(key: string, options: AbortOptions & { readonly range?: ByteRange } = {}): Promise<Buffer> {
    const { location } = this
    const object = { ...this.#objectAt(key), key, location }
    return this.#requests.run(this.#nameOf(key), options, () => getObject(this.#client, object, options))
  }

  async delete(key: string, options: AbortOptions = {}): Promise<void> {
    const input = this.#objectAt(key)
    await this.#requests.run(this.#nameOf(key), options, () =>
      this.#client.send(new DeleteObjectCommand(input), abort(options)),
    )
  }

  list(prefix: string, options: AbortOptions = {}): AsyncIterable<ObjectInfo> {
    return this.#list({ Prefix: `${this.#place.prefix}${prefix}` }, options)
  }

  readFolder(
    prefix: string,
    options: AbortOptions & { readonly wanted: (key: string) => boolean },
  ): AsyncIterable<ReadObject[]> {
    const rightThere = this.#list({ Prefix: `${this.#place.prefix}${prefix}`, Delimiter: '/' }, options)
    return readObjects(this, prefix, rightThere, options)
  }

  /** None: what is put shows as a whole or not at all. */
  async removeAbandoned(): Promise<number> {
    return 0
  }

  async now(options: AbortOptions = {}): Promise<Date> {
    const input = { Bucket: this.#place.bucket, Prefix: this.#place.prefix, MaxKeys: 1 }
    return this.#requests.run(`the clock of ${this.location}`, options, async () => {
      const command = new ListObjectsV2Command(input)
      let now = new Date(NaN)
      onDate(command, (date) => (now = date))
      await this.#client.send(command, abort(options))
      if (!Number.isNaN(now.getTime())) return now
      throw new AppError('store-failed', `${this.location} does not tell its time`, {
        hint: 'what stands between pgrevive and the server must pass on the header "Date"',
      })
    })
  }

  #list(
    input: { readonly Prefix: string; readonly Delimiter?: string },
    options: AbortOptions,
  ): AsyncIterable<ObjectInfo> {
    const fetchPage = async (next: string | undefined): Promise<ListedPage> => {
      const query = { Bucket: this.#place.bucket, ...input, ...(next !== undefined && { ContinuationToken: next }) }
      const page: ListObjectsV2CommandOutput = await this.#requests.run(this.location, options, () =>
        this.#client.send(new ListObjectsV2Command(query), abort(options)),
      )
      const { Contents = [], NextContinuationToken } = page
      if (page.IsTruncated && NextContinuationToken === undefined) throw this.#badList('ends early')
      const objects = Contents.map(({ Key, Size, LastModified }) => ({
        key: Key,
        sizeBytes: Size,
        modifiedAt: LastModified,
      }))
      return { objects, next: page.IsTruncated ? NextContinuationToken : undefined }
    }
    return listPages(this.#place.prefix, fetchPage, (problem) => this.#badList(problem))
  }

  async #lock(key: string, options: AbortOptions = {}): Promise<void> {
    const { ObjectLockMode: Mode, ObjectLockRetainUntilDate: RetainUntilDate } = keepingOf(this.#place)
    const input = { ...this.#objectAt(key), Retention: { Mode, RetainUntilDate } }
    await this.#requests.run(`the lock of ${this.#nameOf(key)}`, options, () =>
      this.#client.send(new PutObjectRetentionCommand(input), abort(options)),
    )
  }

  #objectAt(key: string): { readonly Bucket: string; readonly Key: string } {
    return { Bucket: this.#place.bucket, Key: `${this.#place.prefix}${requireKey(key)}` }
  }

  #nameOf(key: string): string {
    return `${key} in ${this.location}`
  }

  #badList(problem: string): AppError {
    return new AppError('store-failed', `the list of ${this.location} ${problem}`, {
      hint: 'this server does not list as Amazon S3 does, and pgrevive can not rely on it; directory buckets do not either',
    })
  }
}

/** What the server is told to compare the body with. */
function checksumOf(body: Uint8Array, sha256: Buffer, checksum: S3Place['checksum']): Partial<PutObjectCommandInput> {
  switch (checksum) {
    case 'sha256':
      // Ceph 20 compares the checksum only if its algorithm is named, too
      return { ChecksumAlgorithm: ChecksumAlgorithm.SHA256, ChecksumSHA256: sha256.toString('base64') }
    case 'md5':
      return { ContentMD5: createHash('md5').update(body).digest('base64') }
    case 'none':
      return {}
  }
}

/** How the server is to keep it. */
function keepingOf({ storageClass, encryption, lock }: S3Place) {
  return {
    ...(storageClass !== undefined && { StorageClass: storageClass as StorageClass }),
    ...(encryption && { ServerSideEncryption: encryption.kind, SSEKMSKeyId: encryption.key }),
    ...(lock && {
      ObjectLockMode: lock.mode === 'compliance' ? ObjectLockMode.COMPLIANCE : ObjectLockMode.GOVERNANCE,
      ObjectLockRetainUntilDate: new Date(Date.now() + lock.days * dayMs),
    }),
  }
}

const dayMs = 24 * 3600 * 1000
