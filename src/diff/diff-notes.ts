import { isDeepStrictEqual } from 'node:util'
import { listSome } from '../core/text/list-some.ts'
import type { Manifest } from '../repository/backups/manifest.ts'
import type { DatabaseState } from './database-state.ts'
import type { TableDiff } from './diff-contents.ts'
import type { SchemaDiff } from './diff-definitions.ts'

/** What was not compared, and what to keep in mind of what was. The sides are called A and B. */
export function diffNotes(
  a: DatabaseState,
  b: DatabaseState,
  { tables, schema }: { readonly tables: readonly TableDiff[]; readonly schema: SchemaDiff | null },
): string[] {
  const [before, after] = [a.manifest, b.manifest]
  const notes: string[] = []
  const unknown = tables.filter(({ change }) => change === 'unknown').map(({ schema: of, name }) => `${of}.${name}`)
  if (unknown.length > 0) {
    notes.push(`A or B has not taken the rows of ${listSome(unknown)}: they were not compared`)
  }
  if (!isDeepStrictEqual(patternsOf(before), patternsOf(after))) {
    notes.push('A and B were taken with other patterns: what only one was to hold counts as added or dropped')
  }
  const [was, is] = [before.database.encoding, after.database.encoding]
  if (was !== is && tables.some(({ change }) => change === 'changed')) {
    notes.push(`A is encoded in ${was} and B in ${is}: the same text may be other bytes`)
  }
  if (!schema) {
    notes.push(...[['A', a] as const, ['B', b] as const].flatMap(([name, state]) => whyNoSchema(name, state)))
  } else if (schema.changes.length > 0 && printerOf(before) !== printerOf(after)) {
    notes.push(
      `the definitions of A were printed by ${printerOf(before)} and those of B by ${printerOf(after)}: what differs may be wording only`,
    )
  }
  return notes
}

function patternsOf({ selection }: Manifest) {
  const { content: _, ...patterns } = selection
  return patterns
}

function whyNoSchema(name: string, { entries }: DatabaseState): string[] {
  if (entries === undefined) return [`the definitions were not compared: ${name} holds rows only`]
  return entries === 'unreadable' ? [`the definitions were not compared: the key may not read those of ${name}`] : []
}

/** Text can be compared directly when the same program has printed both, from servers of the same major version. */
function printerOf({ pgDump, server }: Manifest): string {
  return `${pgDump.kind} pg_dump ${pgDump.version} from PostgreSQL ${Math.floor(server.versionNumber / 10000)}`
}
