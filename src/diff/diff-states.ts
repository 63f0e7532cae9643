import { AppError } from '../core/app-error.ts'
import { type SchemaEntry, tableOf } from '../postgres/pg-dump/schema-text.ts'
import { cannotRead } from '../repository/keys/key-ring.ts'
import { isDifferent } from './value-diff.ts'
import { type DatabaseState, scopeOf } from './database-state.ts'
import {
  type LargeObjectsDiff,
  type SequenceDiff,
  type TableDiff,
  diffLargeObjects,
  diffSequences,
  diffTables,
} from './diff-contents.ts'
import {
  type ExtensionDiff,
  type PropertyDiff,
  type SchemaDiff,
  diffExtensions,
  diffProperties,
  diffSchemas,
} from './diff-definitions.ts'
import { diffNotes } from './diff-notes.ts'

/** Two states of a database side by side, everything by name. */
export interface Diff {
  readonly equal: boolean
  readonly tables: readonly TableDiff[]
  readonly sequences: readonly SequenceDiff[]
  /** null: not taken on both sides, or not asked for. */
  readonly largeObjects: LargeObjectsDiff | null
  readonly extensions: readonly ExtensionDiff[]
  /** Of the database: owner, encoding, settings, …; values that may be secret are left out. */
  readonly properties: readonly PropertyDiff[]
  /** null: not to be had on both sides. */
  readonly schema: SchemaDiff | null
  /** What was not compared, or what to keep in mind. */
  readonly notes: readonly string[]
}

export interface DiffOptions {
  readonly schemaOnly: boolean
  /** Patterns; with none, everything. */
  readonly tables: readonly string[]
}

/**
 * Throws `selection-empty` when the patterns match nothing on either side, and `key-cannot-read` or `usage-invalid` when
 * only definitions are asked for and one side has none.
 */
export function diffStates(before: DatabaseState, after: DatabaseState, options: DiffOptions): Diff {
  const [was, is] = [chosenPart(before, options.tables), chosenPart(after, options.tables)]
  if (!was.any && !is.any) {
    throw new AppError('selection-empty', `no table matches ${options.tables.join(', ')}`, {
      hint: '"pgrevive show BACKUP --tables" lists them; a name without a schema matches in every schema',
    })
  }
  const [old, young] = [was.state.manifest, is.state.manifest]
  const [contents, whole] = [!options.schemaOnly, options.tables.length === 0]
  const tables = contents ? diffTables(old, young) : []
  const sequences = contents ? diffSequences(old, young) : []
  const largeObjects = contents && whole ? diffLargeObjects(old, young) : null
  const extensions = whole ? diffExtensions(old, young) : []
  const properties = whole ? diffProperties(old, young) : []
  const schema =
    Array.isArray(was.state.entries) && Array.isArray(is.state.entries)
      ? diffSchemas(was.state.entries, is.state.entries)
      : null
  const parts = [...tables, ...sequences, ...(largeObjects ? [largeObjects] : []), ...extensions, ...properties]
  if (options.schemaOnly && !schema) throw noDefinitions(before, after)
  return {
    equal: !parts.some(isDifferent) && !schema?.changes.length,
    tables,
    sequences,
    largeObjects,
    extensions,
    properties,
    schema,
    notes: diffNotes(before, after, { tables, schema }),
  }
}

/** `any`: whether the patterns match anything. */
function chosenPart(state: DatabaseState, tables: readonly string[]): { any: boolean; state: DatabaseState } {
  const scope = scopeOf(state, tables)
  if (scope?.whole) return { any: true, state }
  const { manifest, entries } = state
  const chosen = {
    ...manifest,
    tables: manifest.tables.filter((table) => scope?.includesTable(table)),
    tablesWithoutData: manifest.tablesWithoutData.filter((table) => scope?.includesTable(table)),
    sequences: manifest.sequences.filter((sequence) => scope?.includesSequence(sequence)),
  }
  const isChosen = (entry: SchemaEntry) => {
    if (!scope?.includes(entry)) return false
    const relation = tableOf(entry) // a view only helps a restore, and here it may be what was asked for
    return !scope.isHelper(entry) || (relation !== undefined && scope.includesTable(relation))
  }
  return {
    any: scope !== undefined,
    state: { manifest: chosen, entries: Array.isArray(entries) ? entries.filter(isChosen) : entries },
  }
}

function noDefinitions(before: DatabaseState, after: DatabaseState): AppError {
  if (before.entries === 'unreadable' || after.entries === 'unreadable') return cannotRead()
  return new AppError('usage-invalid', 'a backup of data only holds no definitions to compare', {
    hint: 'leave --schema-only out',
  })
}
