import { AppError } from '../../core/app-error.ts'
import { bundledPgDumpVersion, runBundledPgDump } from './bundled-pg-dump.ts'
import type { Connection } from '../wire/connection.ts'
import type { Environment } from '../target/connection-target.ts'
import { findInstalledPgDumps, inspectPgDump } from './installed-pg-dump.ts'
import { standbyHint } from '../wire/postgres-error.ts'
import { runInstalledPgDump } from './run-installed-pg-dump.ts'

export type PgDumpChoice = 'auto' | 'bundled' | { readonly path: string }

export interface PgDump {
  readonly kind: 'installed' | 'bundled'
  /** As PostgreSQL prints it: `15.18`. */
  readonly version: string
  readonly major: number
  /** Of an installed one. */
  readonly path?: string
}

export interface SchemaDumpOptions {
  readonly section: 'pre-data' | 'post-data'
  /** Of the text; the database's unless named. */
  readonly encoding?: string | undefined
  /** Selection: --schema=… --table=… --exclude-table=… */
  readonly arguments?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
  /** What pg_dump warns of while it succeeds: objects that the role may not dump. */
  readonly onWarning?: ((warning: string) => void) | undefined
}

/**
 * An installed one of the server's major version, the lowest installed one above it, the bundled WebAssembly pg_dump 18,
 * in this order. Throws `pg-dump-missing` if the choice leaves none that is as new as the server.
 */
export async function choosePgDump(
  serverMajor: number,
  choice: PgDumpChoice,
  options: { readonly environment: Environment; readonly signal?: AbortSignal | undefined },
): Promise<PgDump> {
  const bundled: PgDump = {
    kind: 'bundled',
    version: bundledPgDumpVersion,
    major: Number.parseInt(bundledPgDumpVersion),
  }
  if (typeof choice === 'object') {
    const named = await inspectPgDump(choice.path, options)
    if (named === undefined) throw missing(`"${choice.path}" is not a pg_dump that runs here`, serverMajor)
    if (named.major >= serverMajor) return named
    throw missing(
      `"${choice.path}" is pg_dump ${named.version}, and the server is PostgreSQL ${serverMajor}`,
      serverMajor,
    )
  }
  const installed = choice === 'auto' ? await findInstalledPgDumps(options) : []
  const chosen = [...installed, bundled].find(({ major }) => major >= serverMajor)
  if (chosen) return chosen
  throw missing(`no pg_dump was found for a server of PostgreSQL ${serverMajor}`, serverMajor)
}

function missing(message: string, serverMajor: number): AppError {
  return new AppError('pg-dump-missing', message, {
    hint: `install the client programs of PostgreSQL ${serverMajor} or later`,
  })
}

/**
 * The plain SQL text of one section, as bytes in the encoding, without `\restrict` lines, of what `connection` sees: within
 * its transaction if one is open, as that of the locks and the snapshot. Throws what the connection throws, `permission-denied`,
 * `selection-empty`, `table-locked`, and `pg-dump-failed`, whose cause is all that pg_dump wrote to stderr. An abort ends
 * pg_dump and the connection, and throws the signal's reason.
 */
export async function dumpSchema(pgDump: PgDump, connection: Connection, options: SchemaDumpOptions): Promise<Buffer> {
  options.signal?.throwIfAborted()
  const programArguments = [
    `--section=${options.section}`,
    '--no-password',
    `--encoding=${options.encoding ?? connection.parameters.get('server_encoding')}`,
    ...(options.arguments ?? []),
  ]
  const { exitCode, stdout, stderr } = await (pgDump.path === undefined
    ? // the module has no source of random numbers, so the key of the \\restrict lines is given
      runBundledPgDump(['--restrict-key=pgrevive', ...programArguments], connection, options)
    : runInstalledPgDump(pgDump.path, programArguments, connection, options))
  if (exitCode !== 0) throw failureOf(stderr)
  for (const [, warning = ''] of stderr.matchAll(/^(?:\S*pg_dump: )?warning: (.*)/gm)) options.onWarning?.(warning)
  return withoutRestrictLines(Buffer.from(stdout.buffer, stdout.byteOffset, stdout.length))
}

/** Old servers and pg_dump say it in these words, whatever their version; there is no SQLSTATE in pg_dump's output. */
function failureOf(stderr: string): AppError {
  const words = stderr.replaceAll(/^\S*pg_dump: (?=error: |detail: |hint: )/gm, '').trim()
  const message = (/^error: (.*)/m.exec(words)?.[1] ?? words.split('\n')[0] ?? '').replace(
    /^query failed: ERROR: +/,
    '',
  )
  const cause = new Error(stderr.trim())
  if (/^no matching (tables|schemas) were found/.test(message)) {
    return new AppError('selection-empty', message, { hint: 'check the patterns', cause })
  }
  if (/deadlock detected/.test(message)) {
    return new AppError('table-locked', 'pg_dump and another session waited for each other', { cause })
  }
  if (/due to conflict with recovery/.test(words)) {
    return new AppError('standby-conflict', `pg_dump: ${message}`, { hint: standbyHint, cause })
  }
  if (/permission denied for/.test(message)) {
    const hint = 'connect as a role that owns the objects, or has pg_read_all_data and USAGE on the schemas'
    return new AppError('permission-denied', `pg_dump: ${message}`, { hint, cause })
  }
  return new AppError('pg-dump-failed', `pg_dump failed: ${message}`, { cause })
}

/**
 * Only pg_dump's own two lines: a function's body may hold others. The first one stands before the first setting, and
 * the second one is the last of its key.
 */
function withoutRestrictLines(text: Buffer): Buffer {
  const start = text.indexOf('\n\\restrict ') + 1
  if (start === 0 || start > text.indexOf('\nSET ')) return text
  const end = text.indexOf('\n', start) + 1
  const closing = `\n\\un${text.toString('latin1', start + 1, end)}`
  const last = text.lastIndexOf(closing, undefined, 'latin1')
  if (last < end) throw new AppError('pg-dump-failed', 'pg_dump wrote a text without its last line')
  return Buffer.concat([text.subarray(0, start), text.subarray(end, last + 1), text.subarray(last + closing.length)])
}
