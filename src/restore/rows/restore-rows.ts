import { AppError } from '../../core/app-error.ts'
import { quoteIdentifier, quoteLiteral } from '../../postgres/sql/quote.ts'
import { markSchema } from '../../postgres/catalog/unfinished-mark.ts'
import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import type { QualifiedName } from '../../repository/backups/manifest.ts'
import type { Backup } from '../../repository/backups/open-backup.ts'
import type { Repository } from '../../repository/repository.ts'
import { collectStatistics } from '../collect-statistics.ts'
import { type WaitOptions, limitWaits } from '../lock-waits.ts'
import { explainWait } from './explain-wait.ts'
import { makeCopy, tableExists } from './make-copy.ts'
import { refusePublished } from './refuse-published.ts'
import { type RowsOptions, type RowsSession, openRowsSession } from './rows-session.ts'
import { type TableCopy, planCopy } from './table-copy.ts'

export interface RestoreRowsOptions extends RowsOptions, WaitOptions {
  /** All tables under their names into a schema; or the only one under another name, in its own schema if none is given. */
  readonly into: { readonly schema: string } | { readonly schema: string | undefined; readonly name: string }
  /** A condition on rows. */
  readonly where: string | undefined
  readonly analyze: boolean
}

export interface RestoredRows {
  readonly tables: readonly { readonly from: QualifiedName; readonly into: QualifiedName; readonly rows: number }[]
  /** What the tables lack, in words. */
  readonly notes: readonly string[]
}

/**
 * Puts rows of a backup into new tables of a database that is in use, in one transaction: until its end nobody sees them,
 * and of a run that is stopped nothing stays. Throws `target-exists` where a name is taken.
 */
export async function restoreRows(
  repository: Repository,
  backup: Backup,
  target: ConnectionTarget,
  options: RestoreRowsOptions,
): Promise<RestoredRows> {
  if (options.into.schema !== undefined) refuseName('schema', options.into.schema)
  if ('name' in options.into) refuseName('table', options.into.name)
  await using session = await openRowsSession(repository, backup, target, options)
  const { connection } = session
  const copies = planCopies(session, options)
  const notes = copies.flatMap((copy) => copy.notes)
  await limitWaits(connection, options)
  const tables = await makeCopies(session, copies, backup, options).catch((error: unknown) => {
    throw explainWait(error, options)
  })
  if (options.analyze) {
    const onNote = (note: string) => void notes.push(note)
    for (const { into } of copies) await collectStatistics(connection, into, { ...options, onNote })
  }
  return { tables, notes }
}

async function makeCopies(
  session: RowsSession,
  copies: readonly TableCopy[],
  backup: Backup,
  options: RestoreRowsOptions,
): Promise<RestoredRows['tables']> {
  const { connection } = session
  await connection.execute('BEGIN; SET LOCAL synchronous_commit TO DEFAULT', options)
  for (const { into } of copies) {
    if (await tableExists(connection, into, options)) throw nameTaken(into)
  }
  for (const schema of new Set(copies.map(({ into }) => into.schema))) await prepareSchema(connection, schema, options)
  const tables: RestoredRows['tables'][number][] = []
  for (const copy of copies) {
    const { from, into } = copy
    tables.push({
      from: { schema: from.schema, name: from.name },
      into,
      rows: await makeCopy(session, copy, backup, options),
    })
  }
  await connection.execute('COMMIT', options)
  return tables
}

/** In UTF-8, as nearly every database has it. A server cuts longer ones, and another table would have the name then. */
const longestNameBytes = 63

function refuseName(kind: 'schema' | 'table', name: string): void {
  const sizeBytes = Buffer.byteLength(name)
  if (sizeBytes > longestNameBytes) {
    throw new AppError(
      'usage-invalid',
      `the name ${name} has ${sizeBytes} bytes, and PostgreSQL keeps ${longestNameBytes}`,
      {
        hint: 'choose a shorter one',
      },
    )
  }
  if (kind === 'schema' && /^(pg_.*|information_schema)$/.test(name)) {
    throw new AppError('usage-invalid', `the schema ${name} is PostgreSQL's own`, { hint: 'choose another one' })
  }
}

function planCopies({ tables, entries, connection }: RowsSession, { into }: RestoreRowsOptions): TableCopy[] {
  const names = tables.map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if ('name' in into && tables.length > 1) {
    const list = tables.map(({ schema, name }) => `${schema}.${name}`).join(', ')
    throw new AppError('usage-invalid', `--as is the name of one table, and ${list} are chosen`, {
      hint: 'choose one, or put them all into a schema of their own with --into-schema',
    })
  }
  if (!('name' in into) && twice !== undefined) {
    throw new AppError('usage-invalid', `two of the chosen tables are called ${twice}`, {
      hint: 'restore them one after the other, into schemas of their own',
    })
  }
  if (into.schema === markSchema) {
    throw new AppError('usage-invalid', `a schema called ${markSchema} says that a restore did not end`, {
      hint: 'nothing was changed; choose another one',
    })
  }
  return tables.map((table) => {
    const name = 'name' in into ? into.name : table.name
    const copy = planCopy(table, { schema: into.schema ?? table.schema, name }, entries, connection)
    if (copy) return copy
    throw new AppError('usage-invalid', `the backup does not tell how ${table.schema}.${table.name} was made`, {
      hint: 'it holds data only: --data-only loads its rows into empty tables, and --diff compares them with live ones',
    })
  })
}

function nameTaken({ schema, name }: QualifiedName): AppError {
  return new AppError('target-exists', `${schema}.${name} exists already`, {
    hint: 'nothing was changed; choose another name with --as, or another schema with --into-schema',
  })
}

/** IF NOT EXISTS would ask for the right to create one even where it is there. */
async function prepareSchema(connection: Connection, schema: string, options: RowsOptions): Promise<void> {
  const name = quoteLiteral(schema, connection)
  const found = await connection.query(`SELECT FROM pg_catalog.pg_namespace WHERE nspname = ${name}`, options)
  if (found.length === 0) await connection.execute(`CREATE SCHEMA ${quoteIdentifier(schema, connection)}`, options)
  await refusePublished(connection, schema, options)
}
