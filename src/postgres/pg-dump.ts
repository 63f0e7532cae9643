import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { AppError, messageOf } from '../core/app-error.ts'
import { bundledPgDumpVersion, dumpWithBundledPgDump } from './bundled-pg-dump.ts'
import type { ConnectionTarget, Environment } from './connection-target.ts'
import { findInstalledPgDumps, inspectPgDump } from './installed-pg-dump.ts'
import { libpqEnvironment } from './libpq-environment.ts'
import { standbyHint } from './postgres-error.ts'

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
  /** From pg_export_snapshot(): name only the host that exported it in the target. */
  readonly snapshot?: string | undefined
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
 * The plain SQL text of one section, as bytes in the encoding, without `\restrict` lines. Throws `permission-denied`, `table-locked`,
 * `connection-lost` or `pg-dump-failed`, whose cause is all that pg_dump wrote to stderr; for the bundled one also what
 * `Connection.connect` throws. An abort ends pg_dump and throws the signal's reason.
 */
export async function dumpSchema(
  pgDump: PgDump,
  target: ConnectionTarget,
  options: SchemaDumpOptions,
): Promise<Buffer> {
  options.signal?.throwIfAborted()
  const programArguments = [
    `--section=${options.section}`,
    '--no-password',
    ...(options.snapshot === undefined ? [] : [`--snapshot=${options.snapshot}`]),
    ...(options.encoding === undefined ? [] : [`--encoding=${options.encoding}`]),
    ...(options.arguments ?? []),
  ]
  const { exitCode, stdout, stderr } = await (pgDump.path === undefined
    ? dumpWithBundledPgDump(target, programArguments, options)
    : dumpWithInstalled(pgDump.path, programArguments, target, options.signal))
  if (exitCode !== 0) throw failureOf(stderr)
  for (const [, warning = ''] of stderr.matchAll(/^(?:\S*pg_dump: )?warning: (.*)/gm)) options.onWarning?.(warning)
  return withoutRestrictLines(Buffer.from(stdout.buffer, stdout.byteOffset, stdout.length))
}

async function dumpWithInstalled(
  path: string,
  programArguments: readonly string[],
  target: ConnectionTarget,
  signal: AbortSignal | undefined,
): Promise<{ exitCode: number; stdout: Uint8Array; stderr: string }> {
  await using environment = await libpqEnvironment(target)
  const child = spawn(path, programArguments, {
    cwd: '/',
    env: { ...environment.variables, LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  })
  try {
    const [stdout, stderr, [exitCode, killedBy]] = await Promise.all([
      Array.fromAsync<Uint8Array>(child.stdout),
      Array.fromAsync<Uint8Array>(child.stderr),
      once(child, 'close'),
    ])
    signal?.throwIfAborted()
    const text = Buffer.concat(stderr).toString()
    return {
      exitCode: exitCode ?? -1,
      stdout: Buffer.concat(stdout),
      stderr: killedBy === null ? text : `${text}pg_dump: error: killed by ${killedBy}\n`,
    }
  } catch (error) {
    signal?.throwIfAborted()
    throw new AppError('pg-dump-failed', `"${path}" can not be run: ${messageOf(error)}`, { cause: error })
  }
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
    return new AppError('selection-empty', message, { hint: 'nothing was backed up; check the patterns', cause })
  }
  if (/timeout/.test(message) && /Query was: LOCK TABLE/.test(words)) {
    return new AppError('table-locked', 'pg_dump could not lock a table in time', { cause })
  }
  if (/due to conflict with recovery/.test(words)) {
    return new AppError('standby-conflict', `pg_dump: ${message}`, { hint: standbyHint, cause })
  }
  if (/permission denied for/.test(message)) {
    const hint = 'back up as a role that owns the objects, or has pg_read_all_data and USAGE on the schemas'
    return new AppError('permission-denied', `pg_dump: ${message}`, { hint, cause })
  }
  const lost = /server closed the connection|terminating connection|SSL SYSCALL error/.test(words)
  return new AppError(lost ? 'connection-lost' : 'pg-dump-failed', `pg_dump failed: ${message}`, { cause })
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
