import { adoptTableStatements } from '../postgres/catalog/adopted-table.ts'
import { setSequenceStatement } from '../postgres/catalog/sequences.ts'
import { copyTarget } from '../postgres/catalog/tables.ts'
import {
  type LargeObject,
  largeObjectCommentStatements,
  largeObjectOwnerStatement,
  largeObjectPrivilegeStatements,
} from '../postgres/catalog/large-objects.ts'
import {
  type TextEncoding,
  quoteIdentifier,
  quoteLiteral,
  quoteQualified,
  quoteRegclass,
} from '../postgres/sql/quote.ts'
import { type SchemaEntry, standInOf, statementsOf } from '../postgres/pg-dump/schema-text.ts'
import type { Manifest, ManifestTable, QualifiedName } from '../repository/backups/manifest.ts'
import type { RestorePlan } from '../repository/backups/restore-plan.ts'

/** One object, comment, grant or table's rows, in the words of pg_dump. */
export interface ExportItem {
  readonly entry: SchemaEntry
  /** pg_dump's: comments, labels and privileges belong where they stand. */
  readonly section: 'none' | 'pre-data' | 'data' | 'post-data'
  /** It is no part of what was asked for, and may just help: its failure must not stop the rest. */
  readonly optional: boolean
  /** What follows the statements of the entry: the rows of a table, or all large objects. */
  readonly data?: { readonly table: ManifestTable } | 'large objects'
}

/** Everything that a plan brings back, in the order of a restore. */
export interface ExportItems {
  readonly beforeData: readonly ExportItem[]
  readonly data: readonly ExportItem[]
  readonly afterData: readonly ExportItem[]
  readonly privileges: readonly ExportItem[]
  /** Materialized views' contents, then event triggers. */
  readonly last: readonly ExportItem[]
}

/** Text is written as it is: whoever reads it is told its encoding. */
export const asWritten: TextEncoding = { encoding: 'latin1' }

export function exportItems(manifest: Manifest, plan: RestorePlan): ExportItems {
  const { largeObjects, choices } = plan
  const owners = !choices.noOwner
  const items = (entries: readonly SchemaEntry[], section: ExportItem['section']) =>
    entries.map((entry) => ({ entry, section: sectionOf(entry, section), optional: plan.helpers.has(entry) }))
  const ownerOf = relationOwners(plan.beforeData)
  return {
    beforeData: items(
      [
        ...plan.missingSchemas.map(missingSchema),
        ...plan.beforeData,
        ...(choices.content === 'data-only' ? [] : plan.tables.flatMap(adoptedTable)),
        ...largeObjects.flatMap((object) => [largeObject(object, owners), ...largeObjectComments(object)]),
      ],
      'pre-data',
    ),
    data: [
      ...plan.tables.map((table) => tableData(table, manifest, ownerOf(table))),
      ...items(
        plan.sequences.map((sequence) => sequenceSet(sequence, ownerOf(sequence))),
        'data',
      ),
      ...(largeObjects.length === 0
        ? []
        : [
            {
              entry: plainEntry('BLOBS', 'BLOBS', []),
              section: 'data',
              optional: false,
              data: 'large objects',
            } as const,
          ]),
    ],
    afterData: items(plan.afterData, 'post-data'),
    privileges: [
      ...items(choices.noPrivileges ? [] : largeObjects.flatMap((it) => largeObjectPrivileges(it, owners)), 'pre-data'),
      ...items(plan.privileges, 'post-data'),
    ],
    last: items([...plan.viewData, ...plan.eventTriggers], 'post-data'),
  }
}

function sectionOf({ type }: SchemaEntry, section: ExportItem['section']): ExportItem['section'] {
  return /^(ACL|COMMENT|SECURITY LABEL)$/.test(type) ? 'none' : section
}

/** An entry that pg_dump did not print. */
export function plainEntry(
  type: string,
  name: string,
  statements: readonly string[],
  of: { schema?: string; owner?: string | undefined } = {},
) {
  const sql = statements.map((statement) => `${statement};`).join('\n')
  return { type, name, schema: of.schema, owner: of.owner, sql, defaults: {} }
}

const missingSchema = (name: string) =>
  plainEntry('SCHEMA', name, [`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(name, asWritten)}`])

/** Header names have no line breaks, so two names may look the same: then the owner is that of one of them. */
function relationOwners(entries: readonly SchemaEntry[]) {
  const owners = new Map<string, string>()
  for (const { type, schema, name, owner } of entries) {
    if (/^(TABLE|SEQUENCE)$/.test(type) && owner !== undefined) owners.set(`${schema}.${name}`, owner)
  }
  return ({ schema, name }: QualifiedName) => owners.get(`${onOneLine(schema)}.${onOneLine(name)}`)
}

/** As pg_dump prints names in comments: a line break could end the comment. */
export function onOneLine(name: string): string {
  return name.replaceAll(/[\r\n]/g, ' ')
}

const sequenceSet = (sequence: RestorePlan['sequences'][number], owner: string | undefined) =>
  plainEntry('SEQUENCE SET', sequence.name, [setSequenceStatement(sequence, asWritten)], { ...sequence, owner })

/** COPY text is in the database's encoding, all other text in that of the schema. */
function tableData(table: ManifestTable, { database: { encoding } }: Manifest, owner: string | undefined): ExportItem {
  const target = copyTarget({ ...(table.loadVia ?? table), columns: table.columns }, asWritten)
  const converted = encoding === 'UTF8' || encoding === 'SQL_ASCII' ? '' : ` WITH (ENCODING ${quoteLiteral(encoding)})`
  const copy = `COPY ${target} FROM stdin${converted}`
  const entry = plainEntry('TABLE DATA', table.name, [copy], { ...table, owner })
  return { entry, section: 'data', optional: false, data: { table } }
}

/** A configuration table that was added to an extension by hand is made when CREATE EXTENSION has not made it. */
function adoptedTable(table: ManifestTable): SchemaEntry[] {
  if (!table.extension) return []
  const statements = adoptTableStatements({ ...table, extension: table.extension }, asWritten)
  const missing = `pg_catalog.to_regclass(${quoteRegclass(table.schema, table.name, asWritten)}) IS NULL`
  const body = `BEGIN IF ${missing} THEN\n${statements.map((statement) => `${statement};\n`).join('')}END IF; END`
  return [plainEntry('EXTENSION TABLE', table.name, [`DO ${dollarQuote(body)}`], { schema: table.schema })]
}

function largeObject(object: LargeObject, owners: boolean): SchemaEntry {
  const statements = [
    `SELECT pg_catalog.lo_create('${object.oid}')`,
    ...(owners ? [largeObjectOwnerStatement(object, asWritten)] : []),
  ]
  return plainEntry('BLOB', object.oid, statements, { owner: object.owner })
}

function largeObjectComments(object: LargeObject): SchemaEntry[] {
  return largeObjectCommentStatements(object, asWritten).map((statement) =>
    plainEntry('COMMENT', `LARGE OBJECT ${object.oid}`, [statement], { owner: object.owner }),
  )
}

function largeObjectPrivileges(object: LargeObject, owners: boolean): SchemaEntry[] {
  const statements = largeObjectPrivilegeStatements(object, { owners }, asWritten)
  const name = `LARGE OBJECT ${object.oid}`
  return statements.length === 0 ? [] : [plainEntry('ACL', name, statements, { owner: object.owner })]
}

/** The statements as one that warns where they fail, in the words of a restore. */
export function tolerantStatement(entry: SchemaEntry): string {
  const { type, schema, name } = entry
  const view = standInOf(entry)
  const object = view
    ? `VIEW ${view.schema}.${view.name}`
    : `${type} ${schema === undefined ? '' : `${schema}.`}${name}`
  const warn = `RAISE WARNING '% was left out: %', ${quoteLiteral(object, asWritten)}, SQLERRM`
  const otherwise = [warn, ...(view ? [dropStandIn(view)] : [])].join(';\n')
  const body = `BEGIN\nEXECUTE ${dollarQuote(statementsOf(entry))};\nEXCEPTION WHEN OTHERS THEN ${otherwise};\nEND`
  return `DO ${dollarQuote(body)};`
}

/** A view of that name which was there before is left alone. */
function dropStandIn({ schema, name }: QualifiedName): string {
  const definition = `pg_get_viewdef(to_regclass(${quoteRegclass(schema, name, asWritten)}))`
  const isStandIn = `${definition} ~ '^ SELECT NULL::' AND ${definition} !~ '\\mFROM\\M'`
  return `IF ${isStandIn} THEN\nDROP VIEW ${quoteQualified(schema, name, asWritten)} CASCADE;\nEND IF`
}

function dollarQuote(text: string): string {
  let tag = '$pgrevive$'
  for (let n = 1; text.includes(tag.slice(0, -1)); n++) tag = `$pgrevive_${n}$`
  return `${tag}${text}${tag}`
}
