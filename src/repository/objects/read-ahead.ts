import type { AbortOptions } from '../../store/object-store.ts'

/**
 * The results of `work` on every item, in order, with up to `limit` of them under way before they are asked for. Leaving
 * early aborts what is under way and waits for it.
 */
export async function* readAhead<Item, Result>(
  source: AsyncIterable<Item> | Iterable<Item>,
  limit: number,
  work: (item: Item, options: { signal: AbortSignal }) => Promise<Result>,
  options: AbortOptions = {},
): AsyncGenerator<Result, void, undefined> {
  const left = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal
  const underWay: Promise<Result>[] = []
  try {
    for await (const item of source) {
      signal.throwIfAborted()
      const result = work(item, { signal })
      result.catch(() => undefined) // it is thrown when its turn comes
      underWay.push(result)
      const first = underWay.length >= limit ? underWay.shift() : undefined
      if (first) yield await first
    }
    for (let next = underWay.shift(); next; next = underWay.shift()) yield await next
  } finally {
    if (underWay.length > 0) left.abort()
    await Promise.allSettled(underWay)
  }
}
