/**
 * Runs `work` on every item, at most `limit` at a time and in the order given. The first failure aborts the signal that
 * the others were handed, waits until they have stopped, and is thrown.
 */
export async function forEachParallel<Item>(
  items: Iterable<Item>,
  limit: number,
  work: (item: Item, options: { worker: number; signal: AbortSignal }) => Promise<void>,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const failed = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal
  const queue = items[Symbol.iterator]()
  let failure: { error: unknown } | undefined
  const runWorker = async (worker: number) => {
    for (let next = queue.next(); !next.done; next = queue.next()) {
      try {
        signal.throwIfAborted()
        await work(next.value, { worker, signal })
      } catch (error) {
        failure ??= { error }
        failed.abort(error)
        return
      }
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, limit) }, (_, worker) => runWorker(worker)))
  if (failure) throw failure.error
}
