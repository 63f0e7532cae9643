/** What lies in one directory, in the order of the keys below it: `a-b`, `a/…`, `a0`. */
export function inKeyOrder<Entry extends { readonly name: string; isDirectory(): boolean }>(
  entries: readonly Entry[],
): Entry[] {
  const placed = entries.map((entry) => ({ entry, at: entry.isDirectory() ? `${entry.name}/` : entry.name }))
  return placed.toSorted((a, b) => (a.at < b.at ? -1 : 1)).map(({ entry }) => entry)
}
