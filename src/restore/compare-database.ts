import type { OnProgress } from '../core/progress.ts'
import { type Task, runTasks } from '../core/tasks.ts'
import { listExtensions } from '../postgres/catalog/database.ts'
import { readSequences } from '../postgres/catalog/sequences.ts'
import { Connection } from '../postgres/wire/connection.ts'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import { copyLargeObjectsOut, type LargeObject, listLargeObjects } from '../postgres/catalog/large-objects.ts'
import { type PgDump, dumpSchema } from '../postgres/pg-dump/pg-dump.ts'
import { changedEntries } from '../postgres/pg-dump/schema-changes.ts'
import { type SchemaEntry, splitSchemaText, withoutLz4, withoutOwner } from '../postgres/pg-dump/schema-text.ts'
import { quoteLiteral } from '../postgres/sql/quote.ts'
import { prepareForReading } from '../postgres/wire/session-settings.ts'
import { pgDumpArguments } from '../repository/backups/manifest-selection.ts'
import type { Manifest } from '../repository/backups/manifest.ts'
import { hasLz4 } from './column-compression.ts'
import { bytesOf, compareGroup, digestProblem, groupTables, nameOf } from './compare-tables.ts'
import { connectForText } from './connect-for-text.ts'
import { keyOf, withoutLooseParts, withoutUnfinishedMark } from '../repository/backups/restore-scope.ts'

/** One thing that is not as it was. */
export interface Difference {
  readonly object: string
  readonly problem: string
}

export interface Comparison {
  readonly compared: {
    tables: number
    rows: number
    bytes: number
    sequences: number
    largeObjects: number
    extensions: number
    schema: boolean
  }
  readonly differences: Difference[]
  readonly notes: string[]
}

export function emptyComparison(): Comparison {
  return {
    compared: { tables: 0, rows: 0, bytes: 0, sequences: 0, largeObjects: 0, extensions: 0, schema: false },
    differences: [],
    notes: [],
  }
}

export interface CompareOptions {
  readonly jobs: number
  /** undefined: the schema text can not be compared. */
  readonly schema: { readonly pgDump: PgDump; readonly preData: string; readonly postData: string } | undefined
  /** false: everything is in the default tablespace. */
  readonly tablespaces: boolean
  /** false: everything belongs to who restored it, and nobody else has been given a right. */
  readonly owners: boolean
  /** As they were. */
  readonly largeObjects: readonly LargeObject[]
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** Reads everything out of a restored database again and holds it against the manifest. */
export async function compareDatabase(
  target: ConnectionTarget,
  manifest: Manifest,
  options: CompareOptions,
): Promise<Comparison> {
  const comparison = emptyComparison()
  await using stack = new AsyncDisposableStack()
  const main = stack.use(await connectForComparing(target, manifest, options))
  const connections = [main]
  while (connections.length < options.jobs) {
    connections.push(stack.use(await connectForComparing(target, manifest, options)))
  }
  const there = await compareRelations(main, manifest, comparison, options)
  const definitions = await compareTablesAndSchema(connections, manifest, there, comparison, options)
  await compareSequences(main, manifest, there, comparison, options)
  await compareLargeObjects(main, manifest, comparison, options)
  await compareExtensions(main, manifest, comparison, options)
  comparison.differences.push(...definitions)
  return comparison
}

async function connectForComparing(
  target: ConnectionTarget,
  manifest: Manifest,
  options: CompareOptions,
): Promise<Connection> {
  const connection = await connectForText(target, manifest, options)
  await prepareForReading(connection)
  return connection
}

/**
 * Every table and sequence of the restored database must be in the manifest: what the backup does not know would
 * otherwise go unseen. Asks the catalog in another way than the backup did, so as not to share its blind spots.
 * Returns the keys of what is there.
 */
async function compareRelations(
  connection: Connection,
  manifest: Manifest,
  { differences }: Comparison,
  options: CompareOptions,
): Promise<ReadonlySet<string>> {
  const rows = await connection.query(
    `SELECT c.relkind, n.nspname, c.relname, EXISTS (
       SELECT FROM pg_catalog.pg_depend d WHERE d.objid OPERATOR(pg_catalog.=) c.oid
         AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
         AND d.deptype OPERATOR(pg_catalog.=) 'e')
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
     WHERE c.relkind IN ('r', 'S') AND c.relpersistence IN ('p', 'u')
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`,
    options,
  )
  const schemaOnly = manifest.selection.content === 'schema-only'
  const { tables, tablesWithoutData, sequences, sequencesWithoutState = [] } = manifest
  const known = new Set([...tables, ...tablesWithoutData, ...sequences, ...sequencesWithoutState].map(keyOf))
  for (const [kind, schema, name, ofExtension] of rows) {
    const item = { schema: schema ?? '', name: name ?? '' }
    if (known.has(keyOf(item)) || ofExtension === 't' || (kind === 'S' && schemaOnly)) continue
    differences.push({ object: `${kind === 'S' ? 'sequence' : 'table'} ${nameOf(item)}`, problem: 'was not backed up' })
  }
  return new Set(rows.map(([, schema, name]) => keyOf({ schema: schema ?? '', name: name ?? '' })))
}

/** Tables are read side by side, and beside pg_dump. Returns how the definitions differ. */
async function compareTablesAndSchema(
  connections: readonly Connection[],
  manifest: Manifest,
  there: ReadonlySet<string>,
  comparison: Comparison,
  options: CompareOptions,
): Promise<Difference[]> {
  const { encoding } = manifest.database
  const setClientEncoding = async (name: string) => {
    for (const connection of connections)
      await connection.execute(`SET client_encoding = ${quoteLiteral(name)}`, options)
  }
  for (const table of manifest.tables) {
    if (there.has(keyOf(table))) continue
    comparison.differences.push({ object: `table ${nameOf(table)}`, problem: 'is missing' })
  }
  const task = (work: (connection: Connection, signal: AbortSignal) => Promise<void>): Task => ({
    needs: [],
    run: async ({ worker, signal }) => {
      const connection = connections[worker]
      if (connection) await work(connection, signal)
    },
  })
  const total = bytesOf(manifest.tables)
  let done = 0
  const progress = (bytes: number, detail: string) => {
    done += bytes
    options.onProgress?.({ phase: 'compare', unit: 'bytes', done, total, detail })
  }
  const groups = groupTables(manifest.tables.filter((table) => there.has(keyOf(table))))
  const tables = groups.map((group) =>
    task((connection, signal) => compareGroup(connection, group, comparison, { progress, signal })),
  )
  const { schema } = options
  const found: Difference[] = []
  const definitions =
    schema &&
    task(async (connection, signal) => {
      found.push(...(await compareSchemas(connection, manifest, schema, { ...options, signal })))
      comparison.compared.schema = true
    })
  await setClientEncoding(encoding)
  await runTasks(definitions ? [definitions, ...tables] : tables, connections.length, options)
  if (encoding !== 'SQL_ASCII') await setClientEncoding('UTF8')
  return found
}

async function compareSequences(
  connection: Connection,
  manifest: Manifest,
  there: ReadonlySet<string>,
  { compared, differences }: Comparison,
  options: CompareOptions,
): Promise<void> {
  const sequences = manifest.sequences.filter((sequence) => there.has(keyOf(sequence)))
  const states = new Map((await readSequences(connection, sequences, options)).map((state) => [keyOf(state), state]))
  for (const expected of manifest.sequences) {
    const found = states.get(keyOf(expected))
    compared.sequences += 1
    if (found?.lastValue === expected.lastValue && found.isCalled === expected.isCalled) continue
    const describe = (state: typeof found) =>
      state ? `${state.lastValue}${state.isCalled ? '' : ' (not called)'}` : 'none'
    differences.push({
      object: `sequence ${nameOf(expected)}`,
      problem: `stands at ${describe(found)}, was at ${describe(expected)}`,
    })
  }
}

async function compareLargeObjects(
  connection: Connection,
  manifest: Manifest,
  { compared, differences }: Comparison,
  options: CompareOptions,
): Promise<void> {
  const expected = manifest.largeObjects
  if (!expected) return
  const objects = await listLargeObjects(connection, options)
  compared.largeObjects = objects.length
  const copy = connection.copyOut(copyLargeObjectsOut, options)
  let bytes = 0
  for await (const piece of copy) {
    bytes += piece.length
    options.onProgress?.({ phase: 'compare large objects', unit: 'bytes', done: bytes, total: expected.bytes })
  }
  const problem =
    objects.length === expected.count
      ? digestProblem({ ...expected, hash: BigInt(`0x${expected.hash}`) }, copy.digest)
      : `are ${objects.length}, were ${expected.count}`
  if (problem) differences.push({ object: 'large objects', problem })
  const comparable = (object: LargeObject) => propertiesOf(object, options)
  const found = new Map(objects.map((object) => [object.oid, comparable(object)]))
  for (const object of options.largeObjects) {
    const { oid } = object
    if (found.has(oid) && found.get(oid) !== comparable(object)) {
      differences.push({
        object: `large object ${oid}`,
        problem: 'has another owner, other privileges or another comment',
      })
    }
  }
}

function propertiesOf({ owner, comment, grants }: LargeObject, { owners }: CompareOptions): string {
  if (!owners) return JSON.stringify(comment)
  // who granted depends on who restores
  const rights = grants
    ?.map(({ grantee, privilege, grantable }) => JSON.stringify([grantee, privilege, grantable]))
    .toSorted()
  return JSON.stringify([owner, comment, rights])
}

async function compareExtensions(
  connection: Connection,
  manifest: Manifest,
  { compared, differences, notes }: Comparison,
  options: CompareOptions,
): Promise<void> {
  const found = new Map((await listExtensions(connection, options)).map((extension) => [extension.name, extension]))
  const everythingTaken = manifest.selection.schemas.length === 0 && manifest.selection.tables.length === 0
  if (!everythingTaken || !manifest.schema) return
  for (const { name, version, schema } of manifest.extensions) {
    const extension = found.get(name)
    compared.extensions += 1
    if (!extension) differences.push({ object: `extension ${name}`, problem: 'is missing' })
    else if (extension.schema !== schema) {
      differences.push({ object: `extension ${name}`, problem: `is in schema ${extension.schema}, was in ${schema}` })
    } else if (extension.version !== version) {
      notes.push(`extension ${name} is ${extension.version} on the scratch server and was ${version}`)
    }
  }
}

async function compareSchemas(
  connection: Connection,
  manifest: Manifest,
  { pgDump, preData, postData }: NonNullable<CompareOptions['schema']>,
  options: CompareOptions,
): Promise<Difference[]> {
  const encoding = manifest.schema?.encoding ?? 'UTF8'
  await using dumping = await Connection.connect(connection.target, options)
  const dump = async (section: 'pre-data' | 'post-data') => {
    const text = await dumpSchema(pgDump, dumping, {
      section,
      encoding,
      arguments: [...pgDumpArguments(manifest.selection), ...(options.owners ? [] : ['--no-owner', '--no-privileges'])],
      signal: options.signal,
    })
    return splitSchemaText(text.toString(encoding === 'SQL_ASCII' ? 'latin1' : 'utf8'))
  }
  const comparable = (entries: readonly SchemaEntry[]) =>
    options.tablespaces ? entries : entries.map((entry) => ({ ...entry, defaults: {} }))
  const all = [...withoutUnfinishedMark(splitSchemaText(preData)), ...splitSchemaText(postData)]
  const printed = withoutLooseParts(all)
  const known = (await hasLz4(connection, options)) ? printed : printed.map(withoutLz4)
  const expected = options.owners ? known : withoutOwners(known)
  const found = [...(await dump('pre-data')), ...(await dump('post-data'))]
  return schemaDifferences(comparable(expected), comparable(found))
}

/** As `pg_dump --no-owner --no-privileges` would have printed them. */
function withoutOwners(entries: readonly SchemaEntry[]): SchemaEntry[] {
  return entries
    .filter(({ type }) => type !== 'ACL' && type !== 'DEFAULT ACL')
    .map(withoutOwner)
    .filter(({ sql }) => sql !== '')
}

function textOf({ type, sql, owner, defaults }: SchemaEntry): string {
  // whose the object is stands in its own entry; that of an extension belongs to whoever created the extension
  if (type === 'ACL') return sql
  // PostgreSQL sorts these by the OIDs of roles
  if (type === 'DEFAULT ACL') return sql.split('\n').toSorted().join('\n')
  return JSON.stringify([sql, owner, defaults])
}

/** The order of the entries is not compared. */
export function schemaDifferences(expected: readonly SchemaEntry[], found: readonly SchemaEntry[]): Difference[] {
  return changedEntries(expected, found, textOf).map(({ title, before, after }) => {
    if (after.length === 0) return { object: title, problem: 'is missing' }
    return { object: title, problem: before.length === 0 ? 'was not there' : 'is defined differently' }
  })
}
