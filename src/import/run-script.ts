import { AppError } from '../core/app-error.ts'
import { nameOf } from '../postgres/pg-dump/schema-text.ts'
import { readTokens } from '../postgres/sql/sql-tokens.ts'
import { type ByteReader, cutOff } from './byte-reader.ts'
import { copyRows } from './copy-rows.ts'
import type { ImportSession } from './import-session.ts'
import { ScriptReader } from './script-reader.ts'

/** Runs SQL statement by statement, with the rows behind each COPY. Returns whether it ended as pg_dump's scripts do. */
export async function runScript(
  reader: ByteReader,
  session: ImportSession,
  options: { readonly onCommand?: (line: string) => void } = {},
): Promise<{ readonly complete: boolean }> {
  const script = new ScriptReader(reader)
  for (let part = await script.next(); part; part = await script.next()) {
    if (part.kind === 'command') {
      if (!options.onCommand) throw refusedCommand(part.text)
      options.onCommand(part.text)
    } else if ((await session.runStatement(part.sql, part.tokens)) === 'copy') {
      await script.endLine()
      await session.copy(part.sql, copyRows(reader))
    }
  }
  return { complete: script.complete }
}

/** Brings back what pg_dump wrote as a script for psql. `database`: the one that it was made for, if it says so. */
export async function restoreScript(
  reader: ByteReader,
  database: string | undefined,
  session: ImportSession,
): Promise<void> {
  const { complete } = await runScript(reader, session, { onCommand: (line) => obey(line, database) })
  if (!complete) throw cutOff()
}

/**
 * What psql does at a line with a backslash may be anything on this machine (`\!`, `\copy`, `\i`): none of it is done.
 * `\restrict` forbids what is forbidden here anyway, and `\connect` leads to the database that was made.
 */
function obey(line: string, database: string | undefined): void {
  if (/^\\(un)?restrict [A-Za-z0-9]+$/.test(line)) return
  const [, argument] = /^\\connect (?:-reuse-previous=on )?(.+)$/.exec(line) ?? []
  if (argument === undefined) throw refusedCommand(line)
  if (database !== undefined && connectsTo(argument) === database) return
  throw new AppError('dump-refused', `it connects to another database: ${line}`, {
    hint: 'dump each database by itself with pg_dump',
  })
}

/** A name, `"name"`, or a conninfo in double quotes with nothing but the name, as pg_dump --create writes them. */
function connectsTo(argument: string): string | undefined {
  const [token] = readTokens(argument)
  if (!token || token.end !== argument.length) return undefined
  const name = nameOf(token)
  const [, quoted] = /^dbname='((?:[^'\\]|\\.)*)'$/s.exec(name) ?? []
  return quoted === undefined ? name : quoted.replaceAll(/\\(.)/gs, '$1')
}

function refusedCommand(line: string): AppError {
  const shown = line.length > 60 ? `${line.slice(0, 60)}…` : line
  return new AppError('dump-refused', `it holds a command of psql, which is never run: ${shown}`, {
    hint: 'pg_dump writes none but \\restrict, \\unrestrict and \\connect: look at who changed the file',
  })
}
