import {
  GetBucketVersioningCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandInput,
  type ListObjectVersionsCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3'
import { AppError } from '../../core/app-error.ts'
import { missingObject, requireKey } from '../keys.ts'
import type { AbortOptions, ByteRange, ObjectInfo, ObjectStore, ReadObject } from '../object-store.ts'
import { readObjects } from '../read-objects.ts'
import type { PatientRequests } from '../patient-requests.ts'
import { abort } from './s3-answers.ts'
import { getObject } from './get-object.ts'
import type { S3Place } from './s3-place.ts'

/** An object as it was: which version it is. */
interface PastObject extends ObjectInfo {
  readonly versionId: string | undefined
}

/** One line of a list of versions; a marker says that the object was removed. */
interface Version extends PastObject {
  readonly isMarker: boolean
}

/**
 * A bucket that keeps versions, as it was at a moment: what has been removed, or put in the place of something else, since
 * then is there as it was. Nothing can be written. Every object of a repository but its configuration is written once, so
 * that this is just what a reader would have seen then.
 */
export class S3PastStore implements ObjectStore {
  readonly location: string
  readonly #place: S3Place
  readonly #at: Date
  readonly #client: S3Client
  readonly #requests: PatientRequests
  readonly #clock: Pick<ObjectStore, 'now'>
  #checked: Promise<void> | undefined
  /** Of objects that were listed. */
  readonly #versions = new Map<string, string | undefined>()

  constructor(
    place: S3Place,
    at: Date,
    connection: {
      readonly location: string
      readonly client: S3Client
      readonly requests: PatientRequests
      readonly clock: Pick<ObjectStore, 'now'>
    },
  ) {
    this.location = connection.location
    this.#place = place
    this.#at = at
    this.#client = connection.client
    this.#requests = connection.requests
    this.#clock = connection.clock
  }

  async put(key: string): Promise<never> {
    throw this.#readOnly(key)
  }

  async delete(key: string): Promise<never> {
    throw this.#readOnly(key)
  }

  async get(key: string, options: AbortOptions & { readonly range?: ByteRange } = {}): Promise<Buffer> {
    const versionId = await this.#versionOf(requireKey(key), options)
    const { location } = this
    const { bucket, prefix } = this.#place
    const object = { Bucket: bucket, Key: `${prefix}${key}`, VersionId: versionId, key, location }
    return this.#requests.run(`${key} in ${location}`, options, () => getObject(this.#client, object, options))
  }

  async *list(prefix: string, options: AbortOptions = {}): AsyncIterable<ObjectInfo> {
    for await (const { versionId, ...object } of this.#list(prefix, options)) {
      this.#versions.set(object.key, versionId)
      if (!object.key.endsWith('/')) yield object
    }
  }

  readFolder(
    prefix: string,
    options: AbortOptions & { readonly wanted: (key: string) => boolean },
  ): AsyncIterable<ReadObject[]> {
    return readObjects(this, prefix, this.list(prefix, options), options)
  }

  async removeAbandoned(): Promise<number> {
    return 0
  }

  now(options: AbortOptions = {}): Promise<Date> {
    return this.#clock.now(options)
  }

  async #versionOf(key: string, options: AbortOptions): Promise<string | undefined> {
    if (this.#versions.has(key)) return this.#versions.get(key)
    for await (const object of this.#list(key, options)) {
      if (object.key !== key) continue
      this.#versions.set(key, object.versionId)
      return object.versionId
    }
    throw missingObject(key, `${this.location} as of ${this.#at.toISOString()}`)
  }

  /** Of each key what it was at the moment, in the order of the keys. */
  async *#list(prefix: string, options: AbortOptions): AsyncIterable<PastObject> {
    let versions: Version[] = []
    for await (const version of this.#versionsBelow(prefix, options)) {
      if (versions[0] && versions[0].key !== version.key) {
        yield* this.#asOf(versions)
        versions = []
      }
      versions.push(version)
    }
    yield* this.#asOf(versions)
  }

  /** `versions` of one key, the newest first. Of a version and a marker of the same second the version counts. */
  *#asOf(versions: readonly Version[]): Iterable<PastObject> {
    const [newest] = versions
      .filter(({ modifiedAt }) => modifiedAt <= this.#at)
      .toSorted((a, b) => +b.modifiedAt - +a.modifiedAt || Number(a.isMarker) - Number(b.isMarker))
    if (!newest || newest.isMarker) return
    const { isMarker: _, ...object } = newest
    yield object
  }

  /** A bucket that keeps none shows only what is there now, which would be taken for what was there then. */
  async #refuseWithoutVersions(options: AbortOptions): Promise<void> {
    const input = { Bucket: this.#place.bucket }
    const { Status } = await this.#requests.run(`the versioning of ${this.location}`, options, () =>
      this.#client.send(new GetBucketVersioningCommand(input), abort(options)),
    )
    if (Status !== undefined) return
    throw new AppError('usage-invalid', `the bucket "${this.#place.bucket}" keeps no versions, which --as-of reads`, {
      hint: 'turn on versioning for the next time; what is not there now is lost',
    })
  }

  async *#versionsBelow(prefix: string, options: AbortOptions): AsyncIterable<Version> {
    const query = { Bucket: this.#place.bucket, Prefix: `${this.#place.prefix}${prefix}` }
    await (this.#checked ??= this.#refuseWithoutVersions(options))
    let next: Pick<ListObjectVersionsCommandInput, 'KeyMarker' | 'VersionIdMarker'> | undefined = {}
    while (next) {
      const input: ListObjectVersionsCommandInput = { ...query, ...next }
      const page: ListObjectVersionsCommandOutput = await this.#requests.run(this.location, options, () =>
        this.#client.send(new ListObjectVersionsCommand(input), abort(options)),
      )
      const { Versions = [], DeleteMarkers = [] } = page
      const found = [
        ...Versions.map((version) => this.#versionFrom(version, false)),
        ...DeleteMarkers.map((marker) => this.#versionFrom(marker, true)),
      ]
      yield* found.toSorted((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
      next = page.IsTruncated ? { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker } : undefined
      if (next && next.KeyMarker === undefined) throw this.#badList()
    }
  }

  #versionFrom(
    from: {
      readonly Key?: string | undefined
      readonly Size?: number | undefined
      readonly LastModified?: Date | undefined
      readonly VersionId?: string | undefined
    },
    isMarker: boolean,
  ): Version {
    const { Key, Size, LastModified, VersionId } = from
    if (Key === undefined || LastModified === undefined || (Size === undefined && !isMarker)) throw this.#badList()
    return {
      key: Key.slice(this.#place.prefix.length),
      sizeBytes: Size ?? 0,
      modifiedAt: LastModified,
      versionId: VersionId,
      isMarker,
    }
  }

  #badList(): AppError {
    return new AppError('store-failed', `the list of versions in ${this.location} is incomplete`, {
      hint: 'this server does not list versions as Amazon S3 does; --as-of can not be used with it',
    })
  }

  #readOnly(key: string): AppError {
    return new AppError(
      'store-denied',
      `${key} is not written: ${this.location} is read as of ${this.#at.toISOString()}`,
      {
        hint: 'leave out --as-of',
      },
    )
  }
}
