import { copyOutStatement } from '../postgres/catalog/tables.ts'
import type { Connection } from '../postgres/wire/connection.ts'
import { type RowDigest, addDigests, emptyDigest } from '../postgres/copy/row-walker.ts'
import { type ManifestTable, type QualifiedName, formatHash } from '../repository/backups/manifest.ts'
import { keyOf } from '../repository/backups/restore-scope.ts'
import type { Comparison } from './compare-database.ts'

export const nameOf = ({ schema, name }: QualifiedName) => `${schema}.${name}`

export interface TableGroup {
  readonly name: string
  readonly tables: readonly ManifestTable[]
}

/** Tables whose rows go through a root may end up in other partitions: those are compared together. */
export function groupTables(tables: readonly ManifestTable[]): TableGroup[] {
  const groups = new Map<string, ManifestTable[]>()
  for (const table of tables) {
    const key = keyOf(table.loadVia ?? table)
    groups.set(key, [...(groups.get(key) ?? []), table])
  }
  return [...groups.values()]
    .map((members) => ({ name: members[0] ? nameOf(members[0].loadVia ?? members[0]) : '', tables: members }))
    .toSorted((a, b) => bytesOf(b.tables) - bytesOf(a.tables))
}

export function bytesOf(tables: readonly ManifestTable[]): number {
  return tables.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** Reads the tables of a group and holds what was found against the manifest. */
export async function compareGroup(
  connection: Connection,
  group: TableGroup,
  { compared, differences }: Comparison,
  { progress, signal }: { readonly progress: (bytes: number, detail: string) => void; readonly signal: AbortSignal },
): Promise<void> {
  let found = emptyDigest
  for (const table of group.tables) {
    const source = { ...table, condition: table.extension?.condition }
    const copy = connection.copyOut(copyOutStatement(source, connection), { signal })
    for await (const piece of copy) progress(piece.length, group.name)
    found = addDigests(found, copy.digest)
  }
  const expected = group.tables
    .map(({ rows, bytes, hash }): RowDigest => ({ rows, bytes, hash: BigInt(`0x${hash}`) }))
    .reduce(addDigests, emptyDigest)
  compared.tables += group.tables.length
  compared.rows += found.rows
  compared.bytes += found.bytes
  const problem = digestProblem(expected, found)
  if (problem) differences.push({ object: `table ${group.name}`, problem })
}

/** In words, what differs. */
export function digestProblem(expected: RowDigest, found: RowDigest): string | undefined {
  if (expected.rows !== found.rows) return `has ${found.rows} rows, was backed up with ${expected.rows}`
  if (expected.hash === found.hash && expected.bytes === found.bytes) return undefined
  return `has the same ${found.rows} rows in number, but other contents (${formatHash(found.hash)}, was ${formatHash(expected.hash)})`
}
