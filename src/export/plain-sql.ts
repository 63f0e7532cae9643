import { randomBytes } from 'node:crypto'
import { AppError } from '../core/app-error.ts'
import { toolVersion } from '../core/tool-version.ts'
import { settingsOf } from '../postgres/pg-dump/schema-text.ts'
import type { Manifest } from '../repository/backups/manifest.ts'
import { type RestorePlan, rolesOfPlan } from '../repository/backups/restore-plan.ts'
import { databaseItems } from './database-items.ts'
import type { ExportData } from './export-data.ts'
import { type ExportItem, exportItems, onOneLine, tolerantStatement } from './export-items.ts'
import { encodeText, scriptSettings } from './session-preamble.ts'

export interface PlainOptions {
  /** Makes the database and connects to it, as pg_dump --create. */
  readonly create: boolean
  /** All or nothing, even of a script whose end is lost. */
  readonly singleTransaction: boolean
  readonly signal?: AbortSignal | undefined
}

/**
 * A script for psql, in the order of a restore. Behind `\restrict` psql obeys no commands of its own, whatever a server
 * has put into its definitions and rows (CVE-2025-8714). When a part of the backup can not be read, the script ends with
 * a statement that fails, and the error is thrown. Throws `usage-invalid` at once, before anything is there to be written.
 */
export function plainSql(
  manifest: Manifest,
  plan: RestorePlan,
  data: ExportData,
  options: PlainOptions,
): AsyncGenerator<Uint8Array> {
  if (options.create) refuseLineBreak(manifest.database.name)
  return encoded(script(manifest, plan, data, options), manifest)
}

async function* encoded(script: AsyncIterable<Uint8Array | string>, manifest: Manifest): AsyncGenerator<Uint8Array> {
  for await (const piece of script) yield typeof piece === 'string' ? encodeText(piece, manifest) : piece
}

async function* script(
  manifest: Manifest,
  plan: RestorePlan,
  data: ExportData,
  { create, singleTransaction, signal }: PlainOptions,
): AsyncGenerator<Uint8Array | string> {
  const key = randomBytes(24).toString('hex')
  const { beforeData, data: rows, afterData, privileges, last } = exportItems(manifest, plan)
  const [database, ...properties] = create ? databaseItems(manifest, plan) : []
  const inForce = new Map<string, string>()
  yield scriptHead(manifest, plan, key)
  if (database) {
    yield `${itemHead(database)}${database.entry.sql}\n\n\n`
    yield `\\unrestrict ${key}\n\n\\connect -reuse-previous=on ${connectArgument(manifest.database.name)}\n\n\\restrict ${key}\n\n`
    yield settings(manifest)
  }
  if (singleTransaction) yield 'BEGIN;\n\n'
  try {
    for (const item of [beforeData, rows, afterData, privileges, properties, last].flat()) {
      yield settingsBefore(item, inForce)
      yield itemHead(item)
      if (item.data === 'large objects') yield* largeObjectStatements(data, { signal })
      else if (item.data) {
        yield `${item.entry.sql};\n`
        yield* data.rows(item.data.table, { signal })
      } else yield `${item.optional ? tolerantStatement(item.entry) : item.entry.sql}\n\n\n`
    }
  } catch (error) {
    yield `\n\\.\nDO $$BEGIN RAISE EXCEPTION 'this export is not whole'; END$$;\n`
    throw error
  }
  if (singleTransaction) yield 'COMMIT;\n\n'
  yield `--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict ${key}\n\n`
}

function scriptHead(manifest: Manifest, plan: RestorePlan, key: string): string {
  const { server, database, snapshot } = manifest
  const roles = [...rolesOfPlan(plan)].join(', ') || 'none'
  const locale = [database.localeProvider, database.locale ?? database.collate, database.ctype].join(' ')
  const facts = [
    `Dumped from database version ${server.version}`,
    `Dumped by ${toolVersion} from a backup of ${snapshot.at}`,
    `Database: ${database.name}; Encoding: ${database.encoding}; Locale: ${locale}; Owner: ${database.owner}`,
    `Roles that must exist: ${roles}`,
  ]
  // as pgrevive's own restore: tables that are there have foreign keys and triggers
  const quiet = plan.choices.content === 'data-only' ? 'SET session_replication_role = replica;\n\n' : ''
  return (
    `--\n-- PostgreSQL database dump\n--\n\n\\restrict ${key}\n\n` +
    `${facts.map((fact) => `-- ${onOneLine(fact)}\n`).join('')}\n${settings(manifest)}${quiet}`
  )
}

function settings(manifest: Manifest): string {
  return `${scriptSettings(manifest).join('\n')}\n\n`
}

function itemHead({ entry: { name, type, schema = '-', owner = '-' }, data }: ExportItem): string {
  const title = `Name: ${name}; Type: ${type}; Schema: ${schema}; Owner: ${owner}`
  return `--\n-- ${data ? 'Data for ' : ''}${onOneLine(title)}\n--\n\n`
}

/** The `SET default_…` lines that change something. */
function settingsBefore({ entry, optional }: ExportItem, inForce: Map<string, string>): string {
  if (optional) {
    inForce.clear() // its own lines stand inside its statement
    return ''
  }
  const changed = settingsOf(entry).filter((line) => inForce.get(settingName(line)) !== line)
  for (const line of changed) inForce.set(settingName(line), line)
  return changed.map((line) => `${line}\n\n`).join('')
}

const settingName = (line: string) => line.slice(0, line.indexOf(' = '))

async function* largeObjectStatements(
  data: ExportData,
  options: { readonly signal?: AbortSignal | undefined },
): AsyncGenerator<string> {
  for await (const { oid, bytes } of data.largeObjects(options)) {
    let offset = 0
    for await (const piece of bytes) {
      if (piece.length === 0) continue
      yield `SELECT pg_catalog.lo_put('${oid}', ${offset}, '\\x${Buffer.from(piece).toString('hex')}');\n`
      offset += piece.length
    }
  }
  yield '\n\n'
}

/** It would end the argument of `\connect`. */
function refuseLineBreak(database: string): void {
  if (!/[\r\n]/.test(database)) return
  throw new AppError('usage-invalid', 'psql can not connect to a database with a line break in its name', {
    hint: 'export without --create, and create the database yourself',
  })
}

/** A conninfo in psql's double quotes. */
function connectArgument(database: string): string {
  return `"dbname='${database.replaceAll(/['\\]/g, '\\$&').replaceAll('"', '""')}'"`
}
