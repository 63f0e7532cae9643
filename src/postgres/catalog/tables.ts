import { z } from 'zod'
import { queryJson } from './query.ts'
import type { Connection } from '../wire/connection.ts'
import { schemaPatternCondition, tablePatternCondition } from '../sql/name-pattern.ts'
import { type TextEncoding, quoteIdentifier, quoteQualified } from '../sql/quote.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/** Which objects a backup takes, in pg_dump's patterns. */
export interface SelectionPatterns {
  readonly schemas: readonly string[]
  readonly excludeSchemas: readonly string[]
  readonly tables: readonly string[]
  readonly excludeTables: readonly string[]
  readonly excludeTableData: readonly string[]
}

const relationSchema = z.object({
  oid: z.coerce.string(),
  schema: z.string(),
  name: z.string(),
  kind: z.enum(['r', 'p', 'S', 'm']),
  /** Changes whenever the table is rewritten. */
  relfilenode: z.coerce.string(),
  accessMethod: z.string().nullable(),
  unlogged: z.boolean(),
  populated: z.boolean(),
  /** Of the main fork, for ctid ranges; 0 where nobody asked. */
  heapBytes: z.coerce.number(),
  /** With TOAST: how much there is to read. */
  totalBytes: z.coerce.number(),
  columns: z.array(z.string()),
  /** The topmost partitioned table, when a partition key above hashes a polymorphic type such as an enum. */
  loadVia: z.object({ schema: z.string(), name: z.string(), columns: z.array(z.string()) }).nullable(),
  extension: z
    .object({
      name: z.string(),
      condition: z.string(),
      /** How far down a chain of foreign keys it stands. */
      depth: z.number(),
      columns: z.array(
        z.object({ name: z.string(), type: z.string(), notNull: z.boolean(), default: z.string().nullable() }),
      ),
    })
    .nullable(),
  /** By the patterns; a sequence also goes with its table, a partition with the partitioned one, see `listRelations`. */
  selected: z.boolean(),
  /** Selected because it is a partition of a table that is, and by no pattern. */
  implied: z.boolean(),
  /** By a pattern of tables to leave out. */
  excluded: z.boolean(),
  /** OIDs of the tables that it is a partition or a child of. */
  parents: z.array(z.coerce.string()),
  /** Of a sequence: the table that owns it; `identity`: it is nothing without the table. */
  owner: z.object({ oid: z.coerce.string(), identity: z.boolean() }).nullable(),
  dataExcluded: z.boolean(),
})
/** A table, partitioned table, sequence or materialized view, as the backup needs to know it. */
export type Relation = z.output<typeof relationSchema>

/**
 * Lists what a dump would hold. Members of extensions are left out but for their configuration tables (pg_extension.
 * extconfig). Patterns without a schema mean the default search_path, as with pg_dump; it is empty again afterwards.
 * `sized`: OIDs of tables whose size is asked; PostgreSQL locks them for that, so one that is locked would be waited for.
 */
export async function listRelations(
  connection: Connection,
  selection: SelectionPatterns,
  { sized = [], ...options }: QueryOptions & { readonly sized?: readonly string[] } = {},
): Promise<Relation[]> {
  await connection.execute('RESET search_path', options)
  const relations = await queryJson(connection, relationSchema, relationsQuery(selection, sized), options)
  await connection.execute("SET search_path = ''", options)
  return withOwnedSequences(selection.tables.length === 0 ? relations : withPartitions(relations))
}

/** A partitioned table has its rows in its partitions. */
function withPartitions(relations: readonly Relation[]): Relation[] {
  const byOid = new Map(relations.map((relation) => [relation.oid, relation]))
  const isChosen = ({ selected, excluded, parents }: Relation): boolean =>
    selected || (!excluded && parents.map((oid) => byOid.get(oid)).some((it) => it?.kind === 'p' && isChosen(it)))
  return relations.map((relation) => {
    const implied = !relation.selected && isChosen(relation)
    return { ...relation, implied, selected: relation.selected || implied }
  })
}

/** pg_dump's rule (getOwnedSeqs): a sequence goes with its table, and an identity sequence only with it. */
function withOwnedSequences(relations: readonly Relation[]): Relation[] {
  const selectedTables = new Set(relations.filter(({ selected }) => selected).map(({ oid }) => oid))
  return relations.map((relation) => {
    const { owner, selected } = relation
    if (!owner) return relation
    const withTable = selectedTables.has(owner.oid)
    return { ...relation, selected: withTable || (selected && !owner.identity) }
  })
}

const columnsOf = (relation: string) => `
  ARRAY(
    SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a
    WHERE a.attrelid OPERATOR(pg_catalog.=) ${relation} AND a.attnum OPERATOR(pg_catalog.>) 0
      AND NOT a.attisdropped AND a.attgenerated OPERATOR(pg_catalog.=) ''::pg_catalog."char"
    ORDER BY a.attnum)`

function relationsQuery(selection: SelectionPatterns, sized: readonly string[]): string {
  const { schemas, excludeSchemas, tables, excludeTables, excludeTableData } = selection
  const any = (conditions: string[]) => (conditions.length === 0 ? 'false' : `(${conditions.join(' OR ')})`)
  const anyTable = (patterns: readonly string[]) => any(patterns.map((pattern) => tablePatternCondition(pattern)))
  const anySchema = (patterns: readonly string[]) => any(patterns.map((pattern) => schemaPatternCondition(pattern)))
  const isSized = `c.oid IN (SELECT pg_catalog.unnest('{${sized.join()}}'::pg_catalog.oid[]))`
  const everything = schemas.length === 0 && tables.length === 0
  // as in pg_dump, patterns for tables leave those for schemas without effect
  const byName =
    tables.length > 0
      ? anyTable(tables)
      : `${schemas.length === 0 ? 'true' : anySchema(schemas)} AND NOT ${anySchema(excludeSchemas)}`
  return `
    WITH RECURSIVE ancestors(leaf, ancestor, level) AS (
      SELECT i.inhrelid, i.inhparent, 1 FROM pg_catalog.pg_inherits i
        JOIN pg_catalog.pg_class p ON p.oid OPERATOR(pg_catalog.=) i.inhparent AND p.relkind OPERATOR(pg_catalog.=) 'p'
      UNION ALL
      SELECT a.leaf, i.inhparent, a.level OPERATOR(pg_catalog.+) 1 FROM ancestors a
        JOIN pg_catalog.pg_inherits i ON i.inhrelid OPERATOR(pg_catalog.=) a.ancestor
    ), unstable_leaves AS (
      SELECT DISTINCT a.leaf FROM ancestors a
        JOIN pg_catalog.pg_partitioned_table p ON p.partrelid OPERATOR(pg_catalog.=) a.ancestor
        CROSS JOIN LATERAL pg_catalog.unnest(p.partclass::pg_catalog.oid[]) AS k(opclass)
        JOIN pg_catalog.pg_opclass o ON o.oid OPERATOR(pg_catalog.=) k.opclass
        JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) o.opcintype
      WHERE p.partstrat OPERATOR(pg_catalog.=) 'h' AND t.typtype OPERATOR(pg_catalog.=) 'p'
    ), roots AS (
      SELECT DISTINCT ON (a.leaf) a.leaf, n.nspname, c.relname, ${columnsOf('c.oid')} AS columns
      FROM unstable_leaves u
        JOIN ancestors a ON a.leaf OPERATOR(pg_catalog.=) u.leaf
        JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.ancestor
        JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
      ORDER BY a.leaf, a.level DESC
    ), configuration AS (
      SELECT e.extname, k.reloid, k.condition FROM pg_catalog.pg_extension e
        CROSS JOIN LATERAL ROWS FROM (
          pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)) AS k(reloid, condition)
    ), configuration_depth(reloid, depth) AS (
      SELECT reloid, 0 FROM configuration
      UNION
      SELECT f.conrelid, d.depth OPERATOR(pg_catalog.+) 1 FROM configuration_depth d
        JOIN pg_catalog.pg_constraint f ON f.confrelid OPERATOR(pg_catalog.=) d.reloid
          AND f.contype OPERATOR(pg_catalog.=) 'f' AND f.conrelid OPERATOR(pg_catalog.<>) f.confrelid
        JOIN configuration c ON c.reloid OPERATOR(pg_catalog.=) f.conrelid
      WHERE d.depth OPERATOR(pg_catalog.<) 100
    )
    SELECT c.oid::pg_catalog.text AS oid, n.nspname AS schema, c.relname AS name, c.relkind AS kind,
      c.relfilenode::pg_catalog.text AS relfilenode, am.amname AS "accessMethod",
      c.relpersistence OPERATOR(pg_catalog.=) 'u' AS unlogged, c.relispopulated AS populated,
      CASE WHEN ${isSized} THEN coalesce(pg_catalog.pg_relation_size(c.oid), 0) ELSE 0 END::pg_catalog.text AS "heapBytes",
      CASE WHEN ${isSized} THEN coalesce(pg_catalog.pg_table_size(c.oid), 0) ELSE 0 END::pg_catalog.text AS "totalBytes",
      CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'r' THEN ${columnsOf('c.oid')} ELSE '{}' END AS columns,
      CASE WHEN r.leaf IS NOT NULL THEN pg_catalog.json_build_object(
        'schema', r.nspname, 'name', r.relname, 'columns', r.columns) END AS "loadVia",
      CASE WHEN x.extname IS NOT NULL THEN pg_catalog.json_build_object(
        'name', x.extname, 'condition', x.condition, 'depth',
        (SELECT pg_catalog.max(d.depth) FROM configuration_depth d WHERE d.reloid OPERATOR(pg_catalog.=) c.oid),
        'columns', ARRAY(
          SELECT pg_catalog.json_build_object('name', a.attname,
            'type', pg_catalog.format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull,
            'default', pg_catalog.pg_get_expr(v.adbin, v.adrelid))
          FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef v
            ON v.adrelid OPERATOR(pg_catalog.=) a.attrelid AND v.adnum OPERATOR(pg_catalog.=) a.attnum
          WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
          ORDER BY a.attnum)
      ) END AS extension,
      ${anyTable(excludeTables)} AS excluded, false AS implied,
      ARRAY(SELECT i.inhparent::pg_catalog.text FROM pg_catalog.pg_inherits i
        WHERE i.inhrelid OPERATOR(pg_catalog.=) c.oid) AS parents,
      ${byName} AND NOT ${anyTable(excludeTables)} AND (x.extname IS NULL OR ${String(everything)}) AS selected,
      (SELECT pg_catalog.json_build_object('oid', d.refobjid::pg_catalog.text,
         'identity', d.deptype OPERATOR(pg_catalog.=) 'i')
       FROM pg_catalog.pg_depend d
       WHERE c.relkind OPERATOR(pg_catalog.=) 'S' AND d.objid OPERATOR(pg_catalog.=) c.oid
         AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
         AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
         AND d.deptype IN ('a', 'i') LIMIT 1) AS owner,
      ${anyTable(excludeTableData)} AS "dataExcluded"
    FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
      LEFT JOIN pg_catalog.pg_am am ON am.oid OPERATOR(pg_catalog.=) c.relam
      LEFT JOIN configuration x ON x.reloid OPERATOR(pg_catalog.=) c.oid
      LEFT JOIN roots r ON r.leaf OPERATOR(pg_catalog.=) c.oid
    WHERE c.relkind IN ('r', 'p', 'S', 'm') AND c.relpersistence IN ('p', 'u')
      AND n.nspname OPERATOR(pg_catalog.!~) '^pg_' AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema'
      AND (x.extname IS NOT NULL OR NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
          AND d.objid OPERATOR(pg_catalog.=) c.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'))
    ORDER BY c.oid`
}

/** The rows of one table alone, not of its children. */
export interface CopySource {
  readonly schema: string
  readonly name: string
  readonly columns: readonly string[]
  /** A WHERE clause. */
  readonly condition?: string | undefined
}

/** `schema.table (columns)`, or without a list when there are none: COPY's grammar has no empty one. */
export function copyTarget({ schema, name, columns }: CopySource, connection: TextEncoding): string {
  const list = columns.map((column) => quoteIdentifier(column, connection)).join(', ')
  return quoteQualified(schema, name, connection) + (columns.length === 0 ? '' : ` (${list})`)
}

/** COPY of a plain table without a condition is the fastest; anything else is a query. */
export function copyOutStatement(source: CopySource, connection: TextEncoding): string {
  const { schema, name, columns, condition } = source
  if (condition === undefined && columns.length > 0) return `COPY ${copyTarget(source, connection)} TO STDOUT`
  const list = columns.map((column) => quoteIdentifier(column, connection)).join(', ')
  return `COPY (SELECT ${list} FROM ONLY ${quoteQualified(schema, name, connection)} ${condition ?? ''}) TO STDOUT`
}
