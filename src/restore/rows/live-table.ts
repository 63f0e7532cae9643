import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { queryJson } from '../../postgres/catalog/query.ts'
import { quoteLiteral, quoteQualified } from '../../postgres/sql/quote.ts'
import { describeTarget } from '../../postgres/target/connection-target.ts'
import type { CommandOptions, Connection } from '../../postgres/wire/connection.ts'
import type { ChosenTable } from './chosen-tables.ts'

const columnSchema = z.object({
  name: z.string(),
  /** As SQL, without a length or a scale, which would round what the backup has; of a domain, the type below it. */
  type: z.string(),
  /** As the table declares it, with a length and a scale, and a domain by its name; as pg_dump writes it. */
  declaredType: z.string(),
  /** As SQL; null for types without one. */
  collation: z.string().nullable(),
  isDomain: z.boolean(),
  isGenerated: z.boolean(),
  /** The function that makes the text that COPY prints, as SQL. */
  output: z.string(),
  /** 1 for the first column of the primary key; null beside it. */
  keyPosition: z.number().nullable(),
})
export type LiveColumn = z.output<typeof columnSchema>

/** A table as it is in the database now. */
export interface LiveTable {
  /** As SQL, with ONLY unless it has partitions. */
  readonly sql: string
  /** Its rows, for FROM; of a configuration table of an extension those that a backup takes. */
  readonly rows: string
  readonly columns: readonly LiveColumn[]
  /** That an INSERT fires. */
  readonly triggers: readonly string[]
  /** That take the place of an INSERT, or come along with it. */
  readonly insertRules: readonly string[]
  /** ON CONFLICT can not be used with a deferrable constraint of it or a partition, nor with a rule. */
  readonly takesOnConflict: boolean
}

/** Throws `selection-empty` where there is no such table. */
export async function readLiveTable(
  connection: Connection,
  { schema, name, sources }: ChosenTable,
  options: CommandOptions,
): Promise<LiveTable> {
  const [[oid = null, kind = null] = []] = await connection.query(
    `SELECT c.oid, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = ${quoteLiteral(schema, connection)} AND c.relname = ${quoteLiteral(name, connection)}
       AND c.relkind IN ('r', 'p')`,
    options,
  )
  if (oid === null) {
    throw new AppError('selection-empty', `${describeTarget(connection.target)} has no table ${schema}.${name}`, {
      hint: 'there is nothing to compare with: bring the whole table back with --into-schema or --as, or into a database of its own',
    })
  }
  const quoted = quoteQualified(schema, name, connection)
  const sql = kind === 'p' ? quoted : `ONLY ${quoted}`
  const condition = sources[0]?.extension?.condition ?? ''
  const rows = condition === '' ? `${sql} AS l` : `(SELECT tableoid, * FROM ${sql} ${condition}) AS l`
  const columns = await queryJson(connection, columnSchema, columnsQuery(oid), options)
  const triggers = await connection.query(
    `SELECT tgname FROM pg_catalog.pg_trigger
     WHERE tgrelid = ${oid} AND NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgtype::pg_catalog.int4 & 4 <> 0 ORDER BY 1`,
    options,
  )
  const rules = await connection.query(
    `SELECT rulename, ev_type FROM pg_catalog.pg_rewrite
     WHERE ev_class = ${oid} AND ev_type IN ('2', '3') AND ev_enabled IN ('O', 'A') ORDER BY 1`,
    options,
  )
  const deferrable = await connection.query(
    `SELECT FROM pg_catalog.pg_index
     WHERE (indisunique OR indisexclusion) AND NOT indimmediate
       AND (indrelid = ${oid} OR indrelid IN (SELECT relid FROM pg_catalog.pg_partition_tree(${oid})))`,
    options,
  )
  return {
    sql,
    rows,
    columns,
    triggers: triggers.map(([trigger]) => trigger ?? ''),
    insertRules: rules.flatMap(([rule, event]) => (event === insertEvent ? (rule ?? '') : [])),
    takesOnConflict: rules.length === 0 && deferrable.length === 0,
  }
}

/** Of pg_rewrite.ev_type; 2 is UPDATE. */
const insertEvent = '3'

const columnsQuery = (oid: string) => `
  WITH RECURSIVE types (attnum, type, depth) AS (
    SELECT attnum, atttypid, 0 FROM pg_catalog.pg_attribute
    WHERE attrelid = ${oid} AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT y.attnum, t.typbasetype, y.depth + 1
    FROM types y JOIN pg_catalog.pg_type t ON t.oid = y.type WHERE t.typtype = 'd')
  SELECT DISTINCT ON (a.attnum) a.attname AS name, pg_catalog.format_type(y.type, -1) AS type,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS "declaredType",
    (SELECT pg_catalog.format('%I.%I', n.nspname, l.collname) FROM pg_catalog.pg_collation l
       JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = a.attcollation) AS collation,
    y.depth > 0 AS "isDomain", a.attgenerated <> '' AS "isGenerated", t.typoutput::pg_catalog.text AS output,
    (SELECT k.n FROM pg_catalog.pg_index i CROSS JOIN LATERAL pg_catalog.unnest(i.indkey) WITH ORDINALITY AS k(attnum, n)
     WHERE i.indrelid = a.attrelid AND i.indisprimary AND k.attnum = a.attnum AND k.n <= i.indnkeyatts) AS "keyPosition"
  FROM pg_catalog.pg_attribute a JOIN types y ON y.attnum = a.attnum JOIN pg_catalog.pg_type t ON t.oid = y.type
  WHERE a.attrelid = ${oid} ORDER BY a.attnum, y.depth DESC`
