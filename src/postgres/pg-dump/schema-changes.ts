import type { SchemaEntry } from './schema-text.ts'

/** Entries of one title that stand in one schema text and not, or not as often, in the other. */
export interface EntryChange {
  /** `TABLE public.orders` */
  readonly title: string
  readonly before: readonly SchemaEntry[]
  readonly after: readonly SchemaEntry[]
}

/** Compares two schema texts entry by entry, by what `textOf` says of each. Their order does not count. */
export function changedEntries(
  before: readonly SchemaEntry[],
  after: readonly SchemaEntry[],
  textOf: (entry: SchemaEntry) => string,
): EntryChange[] {
  const [was, is] = [Map.groupBy(before, titleOf), Map.groupBy(after, titleOf)]
  return [...new Set([...was.keys(), ...is.keys()])].flatMap((title) => {
    const [old, young] = [was.get(title) ?? [], is.get(title) ?? []]
    const change = { title, before: without(old, young, textOf), after: without(young, old, textOf) }
    return change.before.length + change.after.length === 0 ? [] : [change]
  })
}

function titleOf({ type, schema, name }: SchemaEntry): string {
  return `${type} ${schema === undefined ? '' : `${schema}.`}${name}`
}

/** Each of `others` takes away one of the same text. */
function without(
  entries: readonly SchemaEntry[],
  others: readonly SchemaEntry[],
  textOf: (entry: SchemaEntry) => string,
): SchemaEntry[] {
  const taken = others.map(textOf)
  return entries.filter((entry) => {
    const index = taken.indexOf(textOf(entry))
    if (index !== -1) taken.splice(index, 1)
    return index === -1
  })
}
