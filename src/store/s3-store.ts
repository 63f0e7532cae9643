import { createHash } from 'node:crypto'
import {
  ChecksumAlgorithm,
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  S3ServiceException,
} from '@aws-sdk/client-s3'
import { AppError } from '../core/app-error.ts'
import { foreignObject, largestObjectBytes, missingObject, requireKey } from './keys.ts'
import type { AbortOptions, ByteRange, ObjectInfo, ObjectStore, ReadObject } from './object-store.ts'
import { readObjects } from './read-folder.ts'
import { withRetries } from './retry.ts'
import { explainS3Error, isTransient } from './s3-errors.ts'
import { type S3Place, formatS3Place } from './s3-place.ts'

/** How long a server may take to be reached, and to say or take nothing, before a request is given up and tried again. */
export interface S3Patience {
  readonly connectMs: number
  readonly silenceMs: number
  /** How long what fails is tried again: before the server has answered for the first time, and later. */
  readonly firstMs: number
  readonly laterMs: number
}

const usualPatience: S3Patience = { connectMs: 10_000, silenceMs: 60_000, firstMs: 3_000, laterMs: 180_000 }

/** Objects below a prefix of a bucket. One request puts an object: packs are far below the 5 GiB that it may hold. */
export class S3Store implements ObjectStore {
  readonly location: string
  readonly #place: S3Place
  readonly #client: S3Client
  readonly #patience: S3Patience
  #hasAnswered = false

  constructor(place: S3Place, patience: Partial<S3Patience> = {}) {
    this.location = formatS3Place(place)
    this.#place = place
    this.#patience = { ...usualPatience, ...patience }
    this.#client = new S3Client(clientConfig(place, this.#patience))
  }

  async put(key: string, parts: readonly Uint8Array[], options: AbortOptions = {}): Promise<void> {
    const body = parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts)
    const input = {
      ...this.#objectAt(key),
      Body: body,
      ContentLength: body.length,
      // Ceph 20 looks at the checksum only if the algorithm is named, too
      ...(this.#place.checksums && { ChecksumAlgorithm: ChecksumAlgorithm.SHA256, ChecksumSHA256: sha256(body) }),
    }
    await this.#request(this.#nameOf(key), options, () =>
      this.#client.send(new PutObjectCommand(input), abort(options)),
    )
  }

  async get(key: string, options: AbortOptions & { readonly range?: ByteRange } = {}): Promise<Buffer> {
    const { range } = options
    const input = {
      ...this.#objectAt(key),
      ...(range && { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` }),
    }
    return this.#request(this.#nameOf(key), options, async () => {
      try {
        return await this.#readBody(key, await this.#client.send(new GetObjectCommand(input), abort(options)))
      } catch (error) {
        if (isAnswer(error, 'NoSuchKey')) throw missingObject(key, this.location, error)
        if (isAnswer(error, 'InvalidRange')) return Buffer.alloc(0) // it begins behind the end
        throw error
      }
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
      let text: unknown
      command.middlewareStack.add(
        (next) => async (request) => {
          const answer = await next(request)
          text = headersOf(answer.response)['date']
          return answer
        },
        { step: 'deserialize' },
      )
      await this.#client.send(command, abort(options))
      const date = new Date(String(text))
      if (!Number.isNaN(date.getTime())) return date
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
        if (Key.endsWith('/')) continue
        yield { key: Key.slice(this.#place.prefix.length), sizeBytes: Size, modifiedAt: LastModified }
      }
      token = page.NextContinuationToken
      isLast = page.IsTruncated !== true
      if (!isLast && token === undefined) throw this.#badList('ends early')
    }
  }

  /** The only place where anything is tried again, the reading of bodies included. */
  async #request<Result>(what: string, options: AbortOptions, work: () => Promise<Result>): Promise<Result> {
    const { firstMs, laterMs } = this.#patience
    try {
      return await withRetries(
        async () => {
          try {
            const result = await work()
            this.#hasAnswered = true
            return result
          } catch (error) {
            if (error instanceof S3ServiceException) this.#hasAnswered = true
            throw error
          }
        },
        { isTransient, patienceMs: () => (this.#hasAnswered ? laterMs : firstMs), signal: options.signal },
      )
    } catch (error) {
      options.signal?.throwIfAborted()
      throw explainS3Error(error, { what, place: this.#place })
    }
  }

  async #readBody(key: string, { Body, ContentLength = 0 }: GetObjectCommandOutput): Promise<Buffer> {
    if (!Body) throw new AppError('store-failed', `${this.#nameOf(key)} came without a body`)
    const pieces: Buffer[] = []
    let length = 0
    for await (const piece of Body as AsyncIterable<Buffer>) {
      length += piece.length
      if (Math.max(length, ContentLength) > largestObjectBytes) throw foreignObject(key, this.location) // closes it, too
      pieces.push(piece)
    }
    return Buffer.concat(pieces, length)
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

function clientConfig(place: S3Place, { connectMs, silenceMs }: S3Patience): S3ClientConfig {
  const { endpoint, region } = place
  return {
    ...(endpoint !== undefined && { endpoint }),
    // most servers take any region
    ...(region !== undefined ? { region } : endpoint !== undefined && { region: regionOfSettings }),
    forcePathStyle: place.pathStyle,
    maxAttempts: 1, // see #request: the SDK does not try again what breaks in the middle of a body
    requestHandler: { connectionTimeout: connectMs, socketTimeout: silenceMs },
    // whatever is read is authenticated, and what is put brings its own
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  }
}

async function regionOfSettings(): Promise<string> {
  return new S3Client().config.region().catch(() => 'us-east-1')
}

function abort({ signal }: AbortOptions): { readonly abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {}
}

function isAnswer(error: unknown, name: string): boolean {
  return error instanceof S3ServiceException && error.name === name
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64')
}

function headersOf(response: unknown): Readonly<Record<string, unknown>> {
  const isThere = typeof response === 'object' && response !== null && 'headers' in response
  return isThere && typeof response.headers === 'object' && response.headers !== null ? { ...response.headers } : {}
}
