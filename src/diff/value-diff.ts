import { isDeepStrictEqual } from 'node:util'

/** `unknown`: it is on both sides, but what it holds was not taken on one of them. */
export type Change = 'added' | 'dropped' | 'changed' | 'equal' | 'unknown'

export interface ValueDiff<Value> {
  readonly change: Change
  readonly before: Value | null
  readonly after: Value | null
}

/** Compares by value; undefined is what is not there. */
export function diffValues<Value>(before: Value | undefined, after: Value | undefined): ValueDiff<Value> {
  const values = { before: before ?? null, after: after ?? null }
  if (before === undefined) return { change: 'added', ...values }
  if (after === undefined) return { change: 'dropped', ...values }
  return { change: isDeepStrictEqual(before, after) ? 'equal' : 'changed', ...values }
}

export function isDifferent({ change }: { readonly change: Change }): boolean {
  return change !== 'equal' && change !== 'unknown'
}

/** What either side has, with what both have under its key, in the order of the keys. */
export function pair<Item>(
  before: readonly Item[],
  after: readonly Item[],
  keyOf: (item: Item) => string,
): { readonly item: Item; readonly before: Item | undefined; readonly after: Item | undefined }[] {
  const was = new Map(before.map((item) => [keyOf(item), item]))
  const is = new Map(after.map((item) => [keyOf(item), item]))
  const items = new Map([...was, ...is])
  return [...items]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => ({ item, before: was.get(key), after: is.get(key) }))
}
