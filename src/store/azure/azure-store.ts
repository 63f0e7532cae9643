import type { BlockBlobClient, ContainerClient } from '@azure/storage-blob'
import { AppError } from '../../core/app-error.ts'
import { readObjects } from '../read-objects.ts'
import { foreignObject, largestObjectBytes, missingObject, requireKey } from '../keys.ts'
import { type ListedPage, listPages } from '../list-pages.ts'
import type { AbortOptions, ByteRange, ObjectInfo, ObjectStore, OnTrouble, ReadObject } from '../object-store.ts'
import { PatientRequests, type Patience, usualPatience } from '../patient-requests.ts'
import { readBody } from '../read-body.ts'
import type { AzureAccess } from './azure-access.ts'
import { type AzurePatience, createContainerClient } from './azure-client.ts'
import { azureCode, azureWords } from './azure-errors.ts'
import { type AzurePlace, formatAzurePlace } from './azure-place.ts'

const usualAzurePatience = { connectMs: 10_000, silenceMs: 60_000, ...usualPatience }

/** Blobs below a prefix of a container. One Put Blob puts an object, which shows as a whole or not at all. */
export class AzureStore implements ObjectStore {
  readonly location: string
  readonly #place: AzurePlace
  readonly #container: ContainerClient
  readonly #requests: PatientRequests

  constructor(
    place: AzurePlace,
    access: AzureAccess,
    options: Partial<AzurePatience & Patience> & { readonly onTrouble?: OnTrouble | undefined } = {},
  ) {
    const patience = { ...usualAzurePatience, ...options }
    const words = azureWords(place, access)
    this.location = formatAzurePlace(place)
    this.#place = place
    this.#container = createContainerClient(place.container, access, patience)
    this.#requests = new PatientRequests(this.location, { patience, words, onTrouble: options.onTrouble })
  }

  async put(key: string, parts: readonly Uint8Array[], options: AbortOptions = {}): Promise<void> {
    const blob = this.#blobAt(key)
    const body = Buffer.concat(parts)
    await this.#requests.run(this.#nameOf(key), options, () => blob.upload(body, body.length, abort(options)))
  }

  async get(key: string, options: AbortOptions & { readonly range?: ByteRange } = {}): Promise<Buffer> {
    const blob = this.#blobAt(key)
    const { offset, length } = options.range ?? { offset: 0, length: undefined }
    return this.#requests.run(this.#nameOf(key), options, async () => {
      try {
        const answer = await blob.download(offset, length, { ...abort(options), maxRetryRequests: 0 })
        const { readableStreamBody, contentLength = 0 } = answer
        const bytes = await readBody(readableStreamBody, contentLength, largestObjectBytes).catch((error: unknown) => {
          throw Object.assign(new Error('the answer broke off', { cause: error }), { code: 'ECONNRESET' })
        })
        if (bytes) return bytes
      } catch (error) {
        const code = azureCode(error)
        if (code === 'BlobNotFound') throw missingObject(key, this.location, error)
        if (code === 'InvalidRange') return Buffer.alloc(0) // it begins behind the end
        throw error
      }
      throw foreignObject(key, this.location)
    })
  }

  async delete(key: string, options: AbortOptions = {}): Promise<void> {
    const blob = this.#blobAt(key)
    await this.#requests.run(this.#nameOf(key), options, async () => {
      try {
        await blob.delete(abort(options))
      } catch (error) {
        if (azureCode(error) !== 'BlobNotFound') throw error
      }
    })
  }

  list(prefix: string, options: AbortOptions = {}): AsyncIterable<ObjectInfo> {
    const query = { prefix: `${this.#place.prefix}${prefix}`, ...abort(options) }
    return this.#listPages(options, (settings) => this.#container.listBlobsFlat(query).byPage(settings))
  }

  readFolder(
    prefix: string,
    options: AbortOptions & { readonly wanted: (key: string) => boolean },
  ): AsyncIterable<ReadObject[]> {
    const query = { prefix: `${this.#place.prefix}${prefix}`, ...abort(options) }
    const rightThere = this.#listPages(options, (settings) =>
      this.#container.listBlobsByHierarchy('/', query).byPage(settings),
    )
    return readObjects(this, prefix, rightThere, options)
  }

  /** None: what is put shows as a whole or not at all. */
  async removeAbandoned(): Promise<number> {
    return 0
  }

  async now(options: AbortOptions = {}): Promise<Date> {
    const query = { prefix: this.#place.prefix, ...abort(options) }
    return this.#requests.run(`the clock of ${this.location}`, options, async () => {
      const page = await this.#container.listBlobsFlat(query).byPage({ maxPageSize: 1 }).next()
      const date = page.done ? undefined : page.value.date
      if (date) return date
      throw new AppError('store-failed', `${this.location} does not tell its time`, {
        hint: 'what stands between pgrevive and the server must pass on the header "Date"',
      })
    })
  }

  #listPages(
    options: AbortOptions,
    pagesFrom: (settings: { continuationToken?: string }) => AsyncIterator<BlobPage, unknown>,
  ): AsyncIterable<ObjectInfo> {
    const fetchPage = async (next: string | undefined): Promise<ListedPage> =>
      this.#requests.run(this.location, options, async () => {
        const page = await pagesFrom(next === undefined ? {} : { continuationToken: next }).next()
        if (page.done) return { objects: [], next: undefined }
        const { segment, continuationToken } = page.value
        if (!segment) throw badList('is none')
        const objects = segment.blobItems.map(({ name, properties }) => ({
          key: name,
          sizeBytes: properties.contentLength,
          modifiedAt: properties.lastModified,
        }))
        return { objects, next: continuationToken || undefined }
      })
    const badList = (problem: string) =>
      new AppError('store-failed', `the list of ${this.location} ${problem}`, {
        hint: 'this server does not list as Azure Blob Storage does without a hierarchical namespace, and pgrevive can not rely on it',
      })
    return listPages(this.#place.prefix, fetchPage, badList)
  }

  #blobAt(key: string): BlockBlobClient {
    return this.#container.getBlockBlobClient(`${this.#place.prefix}${requireKey(key)}`)
  }

  #nameOf(key: string): string {
    return `${key} in ${this.location}`
  }
}

/** What both kinds of lists have in common; a server that is none of Azure's may leave out anything. */
interface BlobPage {
  readonly segment?: {
    readonly blobItems: readonly {
      readonly name: string
      readonly properties: { readonly contentLength?: number; readonly lastModified: Date }
    }[]
  }
  readonly continuationToken?: string
}

function abort({ signal }: AbortOptions): { readonly abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {}
}
