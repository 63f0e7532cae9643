import { isDeepStrictEqual } from 'node:util'
import { type RowDigest, addDigests, emptyDigest } from '../postgres/copy/row-walker.ts'
import type { Manifest, ManifestTable, QualifiedName, Sequence } from '../repository/backups/manifest.ts'
import { keyOf } from '../repository/backups/restore-scope.ts'
import { type ValueDiff, diffValues, pair } from './value-diff.ts'

export type Digest = Pick<ManifestTable, 'rows' | 'bytes' | 'hash'>

/** null instead of a digest: there is no such table, or its rows were not taken. */
export type TableDiff = QualifiedName & ValueDiff<Digest>
export type SequenceDiff = QualifiedName & ValueDiff<Pick<Sequence, 'lastValue' | 'isCalled'>>
export type LargeObjectsDiff = ValueDiff<Digest & { readonly count: number }>

const digestOf = ({ rows, bytes, hash }: Digest): Digest => ({ rows, bytes, hash })

export function diffTables(before: Manifest, after: Manifest): TableDiff[] {
  const tablesOf = ({ tables, tablesWithoutData }: Manifest) => [
    ...tables.map((table) => ({ ...table, digest: digestOf(table) })),
    ...tablesWithoutData.map((table) => ({ ...table, digest: undefined, loadVia: undefined })),
  ]
  const [was, is] = [digestsByRoot(before), digestsByRoot(after)]
  return pair(tablesOf(before), tablesOf(after), keyOf).map(({ item, before: old, after: young }) => {
    const { schema, name } = item
    const { change, ...digests } = diffValues(old?.digest, young?.digest)
    if (!old || !young) return { schema, name, change: old ? 'dropped' : 'added', ...digests }
    if (!old.digest || !young.digest) return { schema, name, change: 'unknown', ...digests }
    // a row may go into another partition on another server, see `loadVia`
    const moved =
      old.loadVia && young.loadVia && isDeepStrictEqual(was.get(keyOf(old.loadVia)), is.get(keyOf(young.loadVia)))
    return { schema, name, change: moved ? 'equal' : change, ...digests }
  })
}

/** The rows of all partitions that are loaded through the same table. */
function digestsByRoot({ tables }: Manifest): Map<string, RowDigest> {
  const digests = new Map<string, RowDigest>()
  for (const { loadVia, rows, bytes, hash } of tables) {
    if (!loadVia) continue
    const sum = digests.get(keyOf(loadVia)) ?? emptyDigest
    digests.set(keyOf(loadVia), addDigests(sum, { rows, bytes, hash: BigInt(`0x${hash}`) }))
  }
  return digests
}

export function diffSequences(before: Manifest, after: Manifest): SequenceDiff[] {
  if (before.selection.content === 'schema-only' || after.selection.content === 'schema-only') return []
  const stateOf = (sequence: Sequence | undefined) =>
    sequence && { lastValue: sequence.lastValue, isCalled: sequence.isCalled }
  return pair(before.sequences, after.sequences, keyOf).map(({ item: { schema, name }, before: old, after: young }) => {
    const found = diffValues(stateOf(old), stateOf(young))
    // a standby knows nothing of unlogged sequences
    const unseen = (!old && before.server.standby) || (!young && after.server.standby)
    return { schema, name, ...found, ...(unseen ? { change: 'unknown' } : {}) }
  })
}

/** null: one side has not taken them. */
export function diffLargeObjects(before: Manifest, after: Manifest): LargeObjectsDiff | null {
  const [old, young] = [before.largeObjects, after.largeObjects]
  if (!old || !young) return null
  return diffValues({ count: old.count, ...digestOf(old) }, { count: young.count, ...digestOf(young) })
}
