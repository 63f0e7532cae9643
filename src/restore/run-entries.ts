import { AppError, hasCode, inContext, messageOf } from '../core/app-error.ts'
import type { Connection } from '../postgres/wire/connection.ts'
import { PostgresError, sqlStateOf } from '../postgres/wire/postgres-error.ts'
import { quoteQualified } from '../postgres/sql/quote.ts'
import { type SchemaEntry, standInOf, statementsOf } from '../postgres/pg-dump/schema-text.ts'
import type { Losses } from './losses.ts'

export interface RunOptions {
  /** Entries whose failure is noted rather than thrown. */
  readonly helpers: ReadonlySet<SchemaEntry>
  /** Where rows are missing, what they would have made possible is entered here rather than thrown. */
  readonly losses?: Losses | undefined
  readonly onNote: (note: string) => void
  readonly onEntry?: ((entry: SchemaEntry) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Runs entries one after the other, each in a transaction of its own unless one is open. Stops at the first error, naming
 * the object.
 */
export async function runEntries(
  connection: Connection,
  entries: readonly SchemaEntry[],
  options: RunOptions,
): Promise<void> {
  for (const entry of entries) await runEntry(connection, entry, options)
}

async function runEntry(connection: Connection, entry: SchemaEntry, options: RunOptions): Promise<void> {
  options.onEntry?.(entry)
  // in an open transaction, what is tolerated is undone by itself
  const savepoint = connection.transaction === 'open' && mayBeTolerated(entry, options)
  try {
    if (savepoint) await connection.execute('SAVEPOINT pgrevive_entry', options)
    await connection.execute(statementsOf(entry), options)
    if (savepoint) await connection.execute('RELEASE pgrevive_entry', options)
  } catch (error) {
    if (savepoint && hasCode(error, 'query-failed', 'permission-denied')) {
      await connection.execute('ROLLBACK TO pgrevive_entry; RELEASE pgrevive_entry', options)
    }
    const object = `${entry.type} ${entry.schema === undefined ? '' : `${entry.schema}.`}${entry.name}`
    if (hasCode(error, 'query-failed', 'permission-denied') && isTolerated(entry, error, options)) {
      const view = standInOf(entry)
      if (view) await connection.execute(`DROP VIEW ${quoteQualified(view.schema, view.name)} CASCADE`, options)
      // nobody asked for it, and what it is about is told by itself
      if (entry.type === 'COMMENT' && options.helpers.has(entry)) return
      options.onNote(`${view ? `VIEW ${view.schema}.${view.name}` : object} was left out: ${messageOf(error)}`)
      return
    }
    if (options.losses && lacksRows(entry, error, options.losses)) {
      if (entry.type !== 'COMMENT') options.losses.add(object, `is left out: ${messageOf(error)}`)
      return
    }
    if (!hasCode(error, 'query-failed', 'permission-denied')) throw inContext(object, error)
    if (!(error.cause instanceof PostgresError)) throw error
    throw new AppError('restore-failed', `${object}: ${error.message}${statementAt(entry, error.cause)}`, {
      cause: error.cause,
      hint:
        hintFor(entry, error.cause) ??
        error.hint ??
        'the statement above is what the server refused; nothing was left under the final name',
    })
  }
}

/**
 * The comment on an extension belongs to whoever created it: hosted servers refuse it to everybody else, and nothing
 * depends on it.
 */
function isTolerated(entry: SchemaEntry, error: unknown, options: RunOptions): boolean {
  return mayBeTolerated(entry, options) && (options.helpers.has(entry) || sqlStateOf(error) === '42501')
}

function mayBeTolerated(entry: SchemaEntry, { helpers }: RunOptions): boolean {
  return helpers.has(entry) || (entry.type === 'COMMENT' && entry.name.startsWith('EXTENSION '))
}

/** What helps a role that may not do it. */
function hintFor({ type }: SchemaEntry, error: PostgresError): string | undefined {
  if (error.sqlState !== '42501') return undefined
  const without = "or leave out what can not be made, beside tables, with --schema '*'"
  if (type === 'EXTENSION')
    return `have it created by an administrator in an empty database to restore into, ${without}`
  const choice = type === 'ACL' || type === 'DEFAULT ACL' ? '--no-privileges' : '--no-owner and --no-privileges'
  if (error.hint !== undefined) return `${error.hint} Restore as such a role, ${without}`
  return `restore with ${choice}, or as a superuser or a member of the roles that own the objects`
}

/** A foreign key to rows that are lost, with the comment on it, or a view that computes with them. */
function lacksRows({ type, name }: SchemaEntry, error: unknown, losses: Losses): boolean {
  if (losses.isEmpty || !hasCode(error, 'query-failed')) return false
  const sqlState = sqlStateOf(error)
  if (type === 'FK CONSTRAINT') return sqlState === '23503'
  if (type === 'COMMENT') return name.startsWith('CONSTRAINT ') && sqlState === '42704'
  return type === 'MATERIALIZED VIEW DATA'
}

const shownCharacters = 500
/** Their options hold passwords. */
const mayHoldSecrets = /^(USER MAPPING|SERVER|SUBSCRIPTION)$/

/** The line of the entry at which the server points, with what precedes it, shortened; nothing where it may hold a secret. */
function statementAt(entry: SchemaEntry, error: PostgresError): string {
  if (mayHoldSecrets.test(entry.type)) return ''
  const sql = statementsOf(entry)
  const position = error.position === undefined ? 0 : Number(error.position)
  const from = Math.max(0, position - shownCharacters)
  const text = sql.slice(from, from + shownCharacters * 2)
  return '\nstatement: ' + (from > 0 ? '…' : '') + text + (from + text.length < sql.length ? '…' : '')
}
