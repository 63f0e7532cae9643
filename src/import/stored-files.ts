import { readAhead } from '../repository/objects/read-ahead.ts'
import type { AbortOptions, ObjectInfo, ObjectStore } from '../store/object-store.ts'
import { type DumpFile, type DumpFiles, unreadable } from './dump-files.ts'

/** One request reads so much. */
const rangeBytes = 8 * 1024 * 1024
const rangesAhead = 2

/** Objects of a store as files, in the folders that their keys tell of. Paths begin with the store's own. */
export class StoredFiles implements DumpFiles {
  readonly #store: ObjectStore
  readonly #root: string
  readonly #objects: ReadonlyMap<string, ObjectInfo>

  private constructor(store: ObjectStore, root: string, objects: ReadonlyMap<string, ObjectInfo>) {
    this.#store = store
    this.#root = root
    this.#objects = objects
  }

  /** `name`: of one object right in the store, or of a folder. Rejects with `dump-unreadable` if there is neither. */
  static async open(
    store: ObjectStore,
    { root, name }: { readonly root: string; readonly name: string },
    options: AbortOptions = {},
  ): Promise<StoredFiles> {
    const objects = new Map<string, ObjectInfo>()
    for await (const object of store.list(name === '' ? '' : `${name}/`, options)) objects.set(object.key, object)
    if (objects.size === 0) {
      for await (const object of store.list('', options)) {
        if (object.key === name) objects.set(name, object)
        if (object.key >= name) break
      }
    }
    if (objects.size === 0) throw unreadable(`${root}${name}`)
    return new StoredFiles(store, root, objects)
  }

  async look(path: string): Promise<DumpFile | undefined> {
    const object = this.#objects.get(this.#keyOf(path))
    if (object) return { isDirectory: false, bytes: object.sizeBytes, modifiedAt: object.modifiedAt }
    const inside = this.#inside(path)
    if (inside.length === 0) return undefined
    return { isDirectory: true, bytes: 0, modifiedAt: new Date(Math.max(...inside.map((one) => +one.modifiedAt))) }
  }

  async names(path: string): Promise<string[]> {
    const folder = this.#folder(path)
    return [...new Set(this.#inside(path).map(({ key }) => key.slice(folder.length).split('/', 1)[0] ?? ''))]
  }

  join(path: string, name: string): string {
    return path.endsWith('/') ? `${path}${name}` : `${path}/${name}`
  }

  async *read(path: string, options: AbortOptions = {}): AsyncIterable<Uint8Array> {
    const object = this.#objects.get(this.#keyOf(path))
    if (!object) throw unreadable(path)
    const { key, sizeBytes } = object
    const offsets = Array.from({ length: Math.ceil(sizeBytes / rangeBytes) }, (_, index) => index * rangeBytes)
    yield* readAhead(
      offsets,
      rangesAhead,
      (offset, { signal }) => {
        const range = { offset, length: Math.min(rangeBytes, sizeBytes - offset) }
        return this.#store.get(key, { signal, range })
      },
      options,
    )
  }

  #inside(path: string): ObjectInfo[] {
    const folder = this.#folder(path)
    return [...this.#objects.values()].filter(({ key }) => key.startsWith(folder))
  }

  #folder(path: string): string {
    const key = this.#keyOf(path).replace(/\/$/, '')
    return key === '' ? '' : `${key}/`
  }

  #keyOf(path: string): string {
    return path.slice(this.#root.length)
  }
}
