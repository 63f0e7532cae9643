import { createHash } from 'node:crypto'
import {
  ChecksumAlgorithm,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { AppError } from '../../core/app-error.ts'
import { foreignObject, largestObjectBytes, missingObject, requireKey } from '../keys.ts'
import type { AbortOptions, ByteRange, ObjectInfo, ObjectStore, OnTrouble, ReadObject } from '../object-store.ts'
import { readObjects } from '../directory/read-folder.ts'
import { withRetries } from '../retry.ts'
import { type S3Patience, createS3Client, onDate, readBody, signHash } from './s3-client.ts'
import { describeFailure, explainS3Error, isTransient } from './s3-errors.ts'
import { type S3Place, formatS3Place } from './s3-place.ts'

export interface S3StorePatience extends S3Patience {
  /** How long what fails is tried again: before the server has answered for the first time, and later. */
  readonly firstMs: number
  readonly laterMs: number
  /** After how long that is told. */
  readonly tellMs: number
}

const usualPatience: S3StorePatience = {
  connectMs: 10_000,
  silenceMs: 60_000,
  firstMs: 3_000,
  laterMs: 180_000,
  tellMs: 5_000,
}

/** Objects below a prefix of a bucket. One request puts an object: packs are far below the 5 GiB that it may hold. */
export class S3Store implements ObjectStore {
  readonly location: string
  readonly #place: S3Place
  readonly #client: S3Client
  readonly #patience: S3StorePatience
  readonly #onTrouble: OnTrouble | undefined
  #hasAnswered = false
  #hasTold = false

  constructor(place: S3Place, options: Partial<S3StorePatience> & { readonly onTrouble?: OnTrouble | undefined } = {}) {
    this.location = formatS3Place(place)
    this.#place = place
    this.#patience = { ...usualPatience, ...options }
    this.#onTrouble = options.onTrouble
    this.#client = createS3Client(place, this.#patience)
  }

  async put(key: string, parts: readonly Uint8Array[], options: AbortOptions = {}): Promise<void> {
    const body = parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts)
    const sha256 = createHash('sha256').update(body).digest()
    // Ceph 20 compares the checksum only if its algorithm is named, too
    const checksum = { ChecksumAlgorithm: ChecksumAlgorithm.SHA256, ChecksumSHA256: sha256.toString('base64') }
    const input = {
      ...this.#objectAt(key),
      Body: body,
      ContentLength: body.length,
      ...(this.#place.checksums && checksum),
    }
    await this.#request(this.#nameOf(key), options, async () => {
      const command = new PutObjectCommand(input)
      signHash(command, sha256)
      await this.#client.send(command, abort(options))
    })
  }

  async get(key: string, options: AbortOptions & { readonly range?: ByteRange } = {}): Promise<Buffer> {
    const { range } = options
    const input = {
      ...this.#objectAt(key),
      ...(range && { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` }),
    }
    return this.#request(this.#nameOf(key), options, async () => {
      try {
        const answer = await this.#client.send(new GetObjectCommand(input), abort(options))
        const bytes = await readBody(answer, largestObjectBytes)
        if (bytes) return bytes
      } catch (error) {
        if (isAnswer(error, 'NoSuchKey')) throw missingObject(key, this.location, error)
        if (isAnswer(error, 'InvalidRange')) return Buffer.alloc(0) // it begins behind the end
        throw error
      }
      throw foreignObject(key, this.location)
    })
  }

  async delete(key: string, options: AbortOptions = {}): Promise<void> {
    const input = this.#objectAt(key)
    await this.#request(this.#nameOf(key), options, () =>
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
    return this.#request(`the clock of ${this.location}`, options, async () => {
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

  async *#list(
    input: { readonly Prefix: string; readonly Delimiter?: string },
    options: AbortOptions,
  ): AsyncIterable<ObjectInfo> {
    let last = ''
    for (let token: string | undefined, isLast = false; !isLast;) {
      const page: ListObjectsV2CommandOutput = await this.#request(this.location, options, () => {
        const query = { Bucket: this.#place.bucket, ...input, ...(token !== undefined && { ContinuationToken: token }) }
        return this.#client.send(new ListObjectsV2Command(query), abort(options))
      })
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        if (Key === undefined || Size === undefined || LastModified === undefined) throw this.#badList('is incomplete')
        if (Key <= last && Buffer.compare(Buffer.from(Key), Buffer.from(last)) <= 0)
          throw this.#badList('is not in order')
        last = Key
        // what consoles make when they "create a folder" is no object
        if (!Key.endsWith('/')) {
          yield { key: Key.slice(this.#place.prefix.length), sizeBytes: Size, modifiedAt: LastModified }
        }
      }
      token = page.NextContinuationToken
      isLast = page.IsTruncated !== true
      if (!isLast && token === undefined) throw this.#badList('ends early')
    }
  }

  /** The only place where anything is tried again, the reading of bodies included. */
  async #request<Result>(what: string, options: AbortOptions, work: () => Promise<Result>): Promise<Result> {
    const { firstMs, laterMs } = this.#patience
    const attempt = async () => {
      try {
        const result = await work()
        this.#hasAnswered = true
        this.#hasTold = false
        return result
      } catch (error) {
        this.#hasAnswered ||= error instanceof S3ServiceException || error instanceof AppError
        throw error
      }
    }
    try {
      return await withRetries(attempt, {
        isTransient,
        patienceMs: () => (this.#hasAnswered ? laterMs : firstMs),
        onFailure: (error, failingMs) => this.#tell(error, failingMs),
        signal: options.signal,
      })
    } catch (error) {
      options.signal?.throwIfAborted()
      throw explainS3Error(error, { what, place: this.#place })
    }
  }

  /** Once for each time of trouble. */
  #tell(error: unknown, failingMs: number): void {
    if (this.#hasTold || failingMs < this.#patience.tellMs) return
    this.#hasTold = true
    const minutes = Math.ceil(this.#patience.laterMs / 60_000)
    this.#onTrouble?.(`${this.location}: ${describeFailure(error)}; trying again for up to ${minutes} min`)
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

function abort({ signal }: AbortOptions): { readonly abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {}
}

function isAnswer(error: unknown, name: string): boolean {
  return error instanceof S3ServiceException && error.name === name
}
