import type { AppError } from '../core/app-error.ts'
import type { ObjectInfo } from './object-store.ts'

/** Some of what a server lists, under the server's names; `next` leads to the page after it, if there is one. */
export interface ListedPage {
  readonly objects: readonly { readonly [Field in keyof ObjectInfo]: ObjectInfo[Field] | undefined }[]
  readonly next: string | undefined
}

/** All objects of a list that comes in pages, under keys without `prefix`. Throws `store-failed` unless it is in order. */
export async function* listPages(
  prefix: string,
  fetchPage: (next: string | undefined) => Promise<ListedPage>,
  badList: (problem: string) => AppError,
): AsyncIterable<ObjectInfo> {
  let last = ''
  for (let next: string | undefined, isLast = false; !isLast;) {
    const page = await fetchPage(next)
    for (const { key, sizeBytes, modifiedAt } of page.objects) {
      if (key === undefined || sizeBytes === undefined || modifiedAt === undefined) throw badList('is incomplete')
      if (key <= last && Buffer.compare(Buffer.from(key), Buffer.from(last)) <= 0) throw badList('is not in order')
      last = key
      // what consoles make when they "create a folder" is no object
      if (!key.endsWith('/')) yield { key: key.slice(prefix.length), sizeBytes, modifiedAt }
    }
    next = page.next
    isLast = next === undefined
  }
}
