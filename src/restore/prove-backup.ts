import { chown, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ulid } from 'ulid'
import { AppError, hasCode, messageOf } from '../core/app-error.ts'
import type { OnProgress } from '../core/progress.ts'
import { toolVersion } from '../core/tool-version.ts'
import { Connection } from '../postgres/connection.ts'
import { type ConnectionTarget, type Environment, withDatabase } from '../postgres/connection-target.ts'
import { type LargeObject, largeObjectsSchema } from '../postgres/large-objects.ts'
import { type PgDump, choosePgDump } from '../postgres/pg-dump.ts'
import { quoteIdentifier, quoteLiteral } from '../postgres/quote.ts'
import { startScratchServer } from '../postgres/scratch-server.ts'
import { findServerAccount } from '../postgres/server-account.ts'
import { chooseServerBinaries } from '../postgres/server-binaries.ts'
import { type ServerGlobals, createRoleStatements, membershipStatements } from '../postgres/server-globals.ts'
import { prepareForLoading, prepareForReading } from '../postgres/session-settings.ts'
import type { Proof } from '../repository/backup-record.ts'
import type { Manifest } from '../repository/manifest.ts'
import { pgDumpArguments } from '../repository/manifest-selection.ts'
import type { Repository } from '../repository/repository.ts'
import type { RepositoryReader } from '../repository/repository-reader.ts'
import { type Comparison, compareDatabase } from './compare-database.ts'
import { createDatabase, databasePropertyStatements } from './create-database.ts'
import { loadDatabase } from './load-database.ts'
import { type Backup, readManifest, readSchemaText, readWhole } from './open-backup.ts'
import { connectForMaintenance, readGlobals } from './restore-backup.ts'
import { planRestore, restoreEverything } from './restore-plan.ts'
import { checkServerHas, existingRoles } from './target-checks.ts'

export interface Assertion {
  readonly name: string
  /** Must return one row with one column that is true. */
  readonly sql: string
}

export interface ProveOptions {
  /** A server on which a scratch database may be created; without it, a scratch server is started. */
  readonly on?: ConnectionTarget | undefined
  readonly assertions: readonly Assertion[]
  readonly jobs: number
  readonly environment: Environment
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
  /** Called when the scratch database is restored and not yet compared. */
  readonly onRestored?: ((target: ConnectionTarget) => Promise<void>) | undefined
  /** Called with the scratch database when the comparison is done and before it goes away. */
  readonly onCompared?: ((target: ConnectionTarget, proof: Proof) => Promise<void>) | undefined
}

/**
 * Restores a backup into a scratch database, compares it with the manifest and stores the outcome. A server that can not
 * take it (no such version, a missing extension or role) is an error and no proof of anything. Data that the repository
 * no longer gives back, or that PostgreSQL refuses, refutes the backup.
 */
export async function proveBackup(repository: Repository, backup: Backup, options: ProveOptions): Promise<Proof> {
  const startedAt = new Date()
  const reader = await repository.openReader(options)
  const manifest = await readManifest(reader, backup, options)
  if (!manifest.schema) {
    throw new AppError(
      'usage-invalid',
      'a backup of data only can not be restored by itself, so it can not be proven',
      {
        hint: 'back up without --data-only',
      },
    )
  }
  const notes: string[] = []
  await using scratch = await openScratch(manifest, await readGlobals(reader, manifest, options), notes, options)
  let comparison: Comparison
  try {
    const text = await readSchemaText(reader, manifest, options)
    const plan = planRestore(manifest, text, { ...restoreEverything, noTablespaces: scratch.noTablespaces })
    await checkServerHas(scratch.maintenance, plan, undefined, options)
    const onNote = (note: string) => notes.push(note)
    await loadDatabase(reader, manifest, plan, scratch.target, {
      ...options,
      analyze: false,
      intoExistingTables: false,
      onNote,
    })
    const properties = {
      owner: manifest.database.owner,
      privileges: true,
      roles: await existingRoles(scratch.maintenance),
    }
    if (!options.on) {
      for (const statement of databasePropertyStatements(scratch.target.database, manifest.database, properties)) {
        await scratch.maintenance.execute(statement, options)
      }
    }
    await options.onRestored?.(scratch.target)
    const pgDump = await choosePgDumpLike(manifest, scratch.major, notes, options)
    comparison = await compareDatabase(scratch.target, manifest, {
      ...options,
      schema: pgDump && text ? { pgDump, ...text } : undefined,
      pgDumpArguments: pgDumpArguments(manifest.selection),
      largeObjects: await readLargeObjects(reader, manifest, options),
    })
    await runAssertions(scratch.target, comparison, options)
  } catch (error) {
    if (!hasCode(error, 'restore-failed', 'object-damaged', 'object-missing')) throw error
    comparison = {
      compared: { tables: 0, rows: 0, bytes: 0, sequences: 0, largeObjects: 0, extensions: 0, schema: false },
      differences: [{ object: 'restore', problem: messageOf(error) }],
      notes: [],
    }
  }
  const proof: Proof = {
    format: 1,
    backup: backup.id,
    tool: toolVersion,
    outcome: comparison.differences.length === 0 ? 'proven' : 'refuted',
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    on: scratch.description,
    compared: { ...comparison.compared, assertions: options.assertions.length },
    differences: comparison.differences,
    notes: [...notes, ...comparison.notes],
  }
  await repository.saveProof(proof, options)
  await options.onCompared?.(scratch.target, proof)
  return proof
}

async function readLargeObjects(
  reader: RepositoryReader,
  { largeObjects }: Manifest,
  options: ProveOptions,
): Promise<LargeObject[]> {
  if (!largeObjects) return []
  const properties = await readWhole(reader, largeObjects.properties, options)
  return largeObjectsSchema.parse(JSON.parse(properties.toString('utf8')))
}

interface Scratch extends AsyncDisposable {
  /** The database to restore into. */
  readonly target: ConnectionTarget
  readonly maintenance: Connection
  readonly major: number
  readonly description: string
  readonly noTablespaces: boolean
}

async function openScratch(
  manifest: Manifest,
  globals: ServerGlobals,
  notes: string[],
  options: ProveOptions,
): Promise<Scratch> {
  await using owned = new AsyncDisposableStack()
  const sourceMajor = Math.floor(manifest.server.versionNumber / 10000)
  const onUnknownLocale = (locale: string) =>
    notes.push(
      `the scratch server does not know the locale ${locale}: C was used, so order by collation was not tested`,
    )
  if (options.on) {
    const maintenance = owned.use(await connectForMaintenance(options.on, options))
    const name = `pgrevive_proof_${ulid().toLowerCase()}`
    await createDatabase(maintenance, name, manifest.database, {
      owner: undefined,
      tablespaces: false,
      onUnknownLocale,
      signal: options.signal,
    })
    const { on } = options
    owned.defer(async () => {
      await using connection = await connectForMaintenance(on, {})
      await connection.execute(`DROP DATABASE IF EXISTS ${quoteIdentifier(name)} WITH (FORCE)`)
    })
    const version = maintenance.parameters.get('server_version') ?? ''
    const major = Math.floor(maintenance.serverVersionNumber / 10000)
    const held = owned.move()
    return {
      target: withDatabase(on, name),
      maintenance,
      major,
      description: `PostgreSQL ${version}, a database of ${on.hosts.map(({ host }) => host).join()}`,
      noTablespaces: true,
      [Symbol.asyncDispose]: () => held.disposeAsync(),
    }
  }
  const binaries = await chooseServerBinaries(sourceMajor, options)
  const server = owned.use(
    await startScratchServer({ binaries, environment: options.environment, signal: options.signal }),
  )
  const maintenance = owned.use(await Connection.connect(server.target, options))
  await prepareForLoading(maintenance)
  await createGlobals(maintenance, globals, server.directory, options)
  const name =
    manifest.database.name === 'postgres' || manifest.database.name === 'template1'
      ? 'restored'
      : manifest.database.name
  await createDatabase(maintenance, name, manifest.database, {
    owner: manifest.database.owner,
    tablespaces: true,
    onUnknownLocale,
    signal: options.signal,
  })
  if (binaries.major !== sourceMajor) {
    notes.push(`restored into PostgreSQL ${binaries.version}; it was backed up from ${manifest.server.version}`)
  }
  const held = owned.move()
  return {
    target: withDatabase(server.target, name),
    maintenance,
    major: binaries.major,
    description: `PostgreSQL ${binaries.version}, a scratch server (${binaries.source})`,
    noTablespaces: false,
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** All roles, without their passwords, and all tablespaces, in the scratch server's own directory. */
async function createGlobals(
  connection: Connection,
  globals: ServerGlobals,
  directory: string,
  options: ProveOptions,
): Promise<void> {
  const existing = await existingRoles(connection, options)
  const missing = globals.roles.filter(({ name }) => !existing.has(name))
  for (const role of missing) {
    // a setting may name a library or a parameter that the scratch server does not have; no content depends on it
    for (const statement of createRoleStatements({ ...role, password: null, settings: [] })) {
      await connection.execute(statement, options)
    }
  }
  const members = new Set(missing.map(({ name }) => name))
  for (const statement of membershipStatements(globals, members, connection.serverVersionNumber)) {
    await connection.execute(statement, options)
  }
  const account = await findServerAccount()
  for (const [index, tablespace] of globals.tablespaces.entries()) {
    const location = join(directory, `tablespace-${index}`)
    await mkdir(location, { mode: 0o700 })
    if (account) await chown(location, account.uid, account.gid)
    await connection.execute(
      `CREATE TABLESPACE ${quoteIdentifier(tablespace.name)} LOCATION ${quoteLiteral(location)}`,
      options,
    )
  }
}

/** Schema text can only be compared when the same program prints both, from servers of the same major version. */
async function choosePgDumpLike(
  { pgDump, server }: Manifest,
  scratchMajor: number,
  notes: string[],
  options: ProveOptions,
): Promise<PgDump | undefined> {
  const sourceMajor = Math.floor(server.versionNumber / 10000)
  if (scratchMajor !== sourceMajor) {
    notes.push('the schema text was not compared: the scratch server has another major version')
    return undefined
  }
  const chosen = await choosePgDump(sourceMajor, pgDump.kind === 'bundled' ? 'bundled' : 'auto', options)
  if (chosen.kind === pgDump.kind && chosen.version === pgDump.version) return chosen
  notes.push(
    `the schema text was not compared: it was printed by ${pgDump.kind} pg_dump ${pgDump.version}, which is not here`,
  )
  return undefined
}

async function runAssertions(
  target: ConnectionTarget,
  { differences }: Comparison,
  { assertions, ...options }: ProveOptions,
): Promise<void> {
  if (assertions.length === 0) return
  await using connection = await Connection.connect(target, options)
  await prepareForReading(connection)
  await connection.execute('RESET search_path', options)
  for (const { name, sql } of assertions) {
    options.onProgress?.({ phase: 'assertions', unit: 'items', detail: name })
    try {
      const rows = await connection.query(sql, options)
      const passed = rows.length === 1 && rows[0]?.length === 1 && rows[0][0] === 't'
      if (!passed)
        differences.push({ object: `assertion ${name}`, problem: `returned ${describeRows(rows)}, not true` })
    } catch (error) {
      if (!hasCode(error, 'query-failed', 'permission-denied')) throw error
      differences.push({ object: `assertion ${name}`, problem: `failed: ${messageOf(error)}` })
    }
  }
}

function describeRows(rows: readonly (readonly (string | null)[])[]): string {
  if (rows.length !== 1) return `${rows.length} rows`
  return rows[0]?.length === 1 ? JSON.stringify(rows[0][0]) : `${rows[0]?.length} columns`
}
