import { AppError, inContext } from '../../core/app-error.ts'
import type { OnProgress } from '../../core/progress.ts'
import { listSome } from '../../core/text/list-some.ts'
import { nearestWord } from '../../core/text/suggestion.ts'
import { type FoundRow, RowFinder } from '../../postgres/copy/row-finder.ts'
import { textEncoding } from '../../postgres/copy/text-encoding.ts'
import { type SchemaEntry, splitSchemaText, tableOf } from '../../postgres/pg-dump/schema-text.ts'
import type { Manifest, ManifestTable, QualifiedName } from '../../repository/backups/manifest.ts'
import { type Backup, readManifest, readSchemaText } from '../../repository/backups/open-backup.ts'
import { keyOf, partitionsIn } from '../../repository/backups/restore-scope.ts'
import type { Repository } from '../../repository/repository.ts'
import type { RepositoryReader } from '../../repository/repository-reader.ts'
import { withoutRows } from './chosen-tables.ts'

export interface FindRowsOptions {
  /** Without a schema: the only table of that name. */
  readonly table: { readonly schema: string | undefined; readonly name: string }
  /** Only rows of which a value holds this text, in any case. */
  readonly search: string | undefined
  /** The only column that is searched. */
  readonly column: string | undefined
  /** Rows that are passed over first. */
  readonly offset: number
  readonly limit: number
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

export interface FoundRows {
  readonly table: QualifiedName
  readonly columns: readonly string[]
  /** In the order of the backup, which is none that means anything; long values cut. */
  readonly rows: readonly FoundRow[]
  /** Rows that were read until enough were found. */
  readonly searched: number
  /** Whether the table has rows behind those. */
  readonly more: boolean
  readonly notes: readonly string[]
  /** Rows of the part that was read may be missing because of these. */
  readonly damages: readonly AppError[]
}

/** The tables that hold the rows of one: itself, or partitions, with the same columns in an order of their own. */
interface Family extends QualifiedName {
  readonly sources: readonly ManifestTable[]
}

/**
 * Rows of one table, read from the repository alone, and no further than needed. Goes on behind what is damaged. Throws
 * `selection-empty` for a table that the backup does not have, `usage-invalid` for one without its rows, for a name that
 * several have and for an unknown column, and `key-cannot-read`.
 */
export async function findRows(repository: Repository, backup: Backup, options: FindRowsOptions): Promise<FoundRows> {
  const reader = await repository.openReader(options)
  const manifest = await readManifest(reader, backup, options)
  const { schema, name, sources } = await findFamily(reader, manifest, options)
  const columns = sources[0]?.columns ?? []
  refuseUnknownColumn(columns, options.column, `${schema}.${name}`)
  const encoding = textEncoding(manifest.database.encoding)
  const rows: FoundRow[] = []
  const damages: AppError[] = []
  let [searched, matching, done] = [0, 0, 0]
  const total = sources.reduce((sum, { bytes }) => sum + bytes, 0)
  const detail = `table ${schema}.${name}`
  for (const source of sources) {
    const finder = new RowFinder({
      columns: source.columns.length,
      encoding,
      search: options.search === undefined ? undefined : { text: options.search, column: indexIn(source, options) },
      skip: Math.max(0, options.offset - matching),
      limit: options.limit - rows.length,
    })
    for await (const piece of readTable(reader, source, options)) {
      if (piece instanceof AppError) {
        damages.push(inContext(detail, piece))
        finder.gap()
        continue
      }
      finder.read(piece)
      done += piece.length
      options.onProgress?.({ phase: 'rows', unit: 'bytes', done, total, detail })
      if (finder.isFull) break
    }
    const order = columns.map((column) => source.columns.indexOf(column))
    rows.push(...finder.found.map((row) => order.map((index) => row[index] ?? null)))
    searched += finder.rows
    matching += finder.matching
    if (rows.length >= options.limit) break
  }
  const more = rows.length >= options.limit && searched < sources.reduce((sum, it) => sum + it.rows, 0)
  const notes = encoding.note === undefined ? [] : [encoding.note]
  return { table: { schema, name }, columns, rows, searched, more, notes, damages }
}

async function* readTable(
  reader: RepositoryReader,
  { parts }: ManifestTable,
  options: FindRowsOptions,
): AsyncGenerator<Uint8Array | AppError> {
  for (const part of parts) yield* reader.readAround(part, { signal: options.signal, lent: true })
}

function indexIn({ columns }: ManifestTable, { column }: FindRowsOptions): number | undefined {
  return column === undefined ? undefined : columns.indexOf(column)
}

async function findFamily(reader: RepositoryReader, manifest: Manifest, options: FindRowsOptions): Promise<Family> {
  const { table } = options
  const isMeant = ({ schema, name }: QualifiedName) =>
    name === table.name && (table.schema === undefined || schema === table.schema)
  const held = [...manifest.tables, ...manifest.tablesWithoutData]
  // a name with a schema that is there needs no look at the definitions
  const isFound = table.schema !== undefined && held.some(isMeant)
  const entries = isFound ? [] : await readEntries(reader, manifest, options)
  const defined = entries.filter(({ type }) => type === 'TABLE').flatMap((entry) => tableOf(entry) ?? [])
  const all = [...new Map([...held, ...defined].map((it) => [keyOf(it), it])).values()]
  const [found, ...others] = all.filter(isMeant)
  if (!found) throw unknownTable(table, all, entries)
  if (others.length > 0) {
    throw new AppError('usage-invalid', `several tables are named ${table.name}`, {
      hint: `name one with its schema: ${listSome([found, ...others].map(({ schema, name }) => `${schema}.${name}`))}`,
    })
  }
  const { schema, name } = found
  const family = new Set([found, ...partitionsIn(entries)(found)].map(keyOf))
  const lacking = manifest.tablesWithoutData.find((one) => family.has(keyOf(one)))
  if (lacking) throw withoutRows(lacking)
  return { schema, name, sources: manifest.tables.filter((one) => family.has(keyOf(one))) }
}

async function readEntries(
  reader: RepositoryReader,
  manifest: Manifest,
  options: FindRowsOptions,
): Promise<readonly SchemaEntry[]> {
  const texts = await readSchemaText(reader, manifest, options)
  return texts ? splitSchemaText(texts.preData) : []
}

function unknownTable(
  { schema, name }: FindRowsOptions['table'],
  all: readonly QualifiedName[],
  entries: readonly SchemaEntry[],
): AppError {
  const wanted = schema === undefined ? name : `${schema}.${name}`
  const relation = entries.find(
    (entry) =>
      /VIEW$|^FOREIGN TABLE$/.test(entry.type) && entry.name === name && (schema ?? entry.schema) === entry.schema,
  )
  if (relation) {
    return new AppError('selection-empty', `${wanted} is a ${relation.type.toLowerCase()}: its rows are in no backup`, {
      hint: '"pgrevive show BACKUP --tables" lists the tables, whose rows are in the backup',
    })
  }
  const near = nearestWord(
    wanted,
    all.map((table) => (schema === undefined ? table.name : `${table.schema}.${table.name}`)),
  )
  return new AppError('selection-empty', `this backup has no table ${wanted}`, {
    hint: `${near === undefined ? '' : `did you mean ${near}? `}"pgrevive show BACKUP --tables" lists the tables`,
  })
}

function refuseUnknownColumn(columns: readonly string[], column: string | undefined, table: string): void {
  if (column === undefined || columns.includes(column)) return
  const near = nearestWord(column, columns)
  throw new AppError('usage-invalid', `${table} has no column ${column} in this backup`, {
    hint: near === undefined ? `it has ${listSome(columns)}` : `did you mean ${near}?`,
  })
}
