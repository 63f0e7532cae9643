import { schemaPatternCondition } from '../../postgres/sql/name-pattern.ts'
import type { Connection } from '../../postgres/wire/connection.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/** Something in the current database that has an owner and is no part of something else. */
export interface DatabaseObject {
  /** `CLASS:OBJECT`, the OIDs under which pg_depend knows it. */
  readonly key: string
  /** As pg_identify_object names it: `table`, `function`, `operator class`, … */
  readonly type: string
  /** Of a schema, its own; of an extension, the one of its members. */
  readonly schema: string | undefined
  /** Quoted, as DROP takes it. */
  readonly identity: string
  readonly owner: string
  /** The current role may drop it, and is to. */
  readonly mine: boolean
  /** Another one as soon as its definition, its privileges or its comment is another one. */
  readonly version: string
}

/** Catalogs of what has an owner: owner, schema, and a condition. Large objects are listed by themselves. */
const catalogs: readonly (readonly [catalog: string, owner: string, schema: string, condition?: string])[] = [
  ['pg_namespace', 'nspowner', 'oid'],
  ['pg_class', 'relowner', 'relnamespace', "relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"],
  ['pg_proc', 'proowner', 'pronamespace'],
  ['pg_type', 'typowner', 'typnamespace'],
  ['pg_operator', 'oprowner', 'oprnamespace'],
  ['pg_opclass', 'opcowner', 'opcnamespace'],
  ['pg_opfamily', 'opfowner', 'opfnamespace'],
  ['pg_collation', 'collowner', 'collnamespace'],
  ['pg_conversion', 'conowner', 'connamespace'],
  ['pg_ts_config', 'cfgowner', 'cfgnamespace'],
  ['pg_ts_dict', 'dictowner', 'dictnamespace'],
  ['pg_statistic_ext', 'stxowner', 'stxnamespace'],
  ['pg_extension', 'extowner', 'extnamespace'],
  ['pg_language', 'lanowner', '0'],
  ['pg_foreign_data_wrapper', 'fdwowner', '0'],
  ['pg_foreign_server', 'srvowner', '0'],
  ['pg_event_trigger', 'evtowner', '0'],
  ['pg_publication', 'pubowner', '0'],
]

/**
 * Which transactions have written the rows that define an object, but for those of tables, which a lock keeps as they are.
 * REFRESH writes that of a materialized view, and does not change how it is defined.
 */
const versionOf = (rowVersion: string) => {
  const written = (catalog: string, condition: string) =>
    `(SELECT pg_catalog.string_agg(v.xmin::text, ' ' ORDER BY v.xmin::text) FROM pg_catalog.${catalog} v WHERE ${condition})`
  const itself = (column: string) => `${column} OPERATOR(pg_catalog.=) o.objid`
  const rows = [
    `CASE WHEN i.type OPERATOR(pg_catalog.<>) 'materialized view' THEN ${rowVersion} END`,
    written('pg_description', `${itself('v.objoid')} AND v.classoid OPERATOR(pg_catalog.=) o.classid`),
    written('pg_enum', itself('v.enumtypid')),
    written('pg_constraint', itself('v.contypid')),
    written('pg_rewrite', itself('v.ev_class')),
    written('pg_trigger', itself('v.tgrelid')),
    written('pg_sequence', itself('v.seqrelid')),
    written(
      'pg_attribute',
      `v.attrelid OPERATOR(pg_catalog.=) (SELECT t.typrelid FROM pg_catalog.pg_type t WHERE ${itself('t.oid')})`,
    ),
  ]
  return `pg_catalog.concat_ws('/', ${rows.map((row) => `coalesce(${row}, '')`).join(', ')})`
}

/** FirstNormalObjectId of transam.h: what initdb made has smaller ones. */
const firstUserOid = 16384

/**
 * All objects of users. Left out are members of extensions and what goes with something else: row types, indexes, identity
 * sequences. Schemas that match `excluded`, and what is in them, are nobody's here; so is the schema public itself, and an
 * extension that the role could not create again.
 */
export async function listObjects(
  connection: Connection,
  excluded: readonly string[],
  options: QueryOptions = {},
): Promise<DatabaseObject[]> {
  const listed = catalogs.map(
    ([catalog, owner, schema, condition = 'true']) =>
      `SELECT 'pg_catalog.${catalog}'::pg_catalog.regclass::pg_catalog.oid, oid, ${owner}, ${schema}::pg_catalog.oid, xmin::text
       FROM pg_catalog.${catalog} WHERE ${condition}`,
  )
  const isExcluded = ['false', ...excluded.map((pattern) => schemaPatternCondition(pattern))].join(' OR ')
  const rows = await connection.query(
    `WITH objects (classid, objid, owner, namespace, written) AS (${listed.join(' UNION ALL ')}), superuser (yes) AS (
       SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user)
     SELECT o.classid, o.objid, i.type, n.nspname, i.identity, pg_catalog.pg_get_userbyid(o.owner),
       pg_catalog.pg_has_role(o.owner, 'USAGE') AND (n.nspname IS NULL OR NOT (${isExcluded}))
         AND NOT (i.type OPERATOR(pg_catalog.=) 'schema' AND n.nspname OPERATOR(pg_catalog.=) 'public')
         AND (i.type OPERATOR(pg_catalog.<>) 'extension' OR s.yes OR EXISTS (
           SELECT FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_available_extension_versions v
             ON v.name OPERATOR(pg_catalog.=) e.extname AND v.version OPERATOR(pg_catalog.=) e.extversion
           WHERE e.oid OPERATOR(pg_catalog.=) o.objid AND (v.trusted OR NOT v.superuser))),
       ${versionOf('o.written')}
     FROM objects o CROSS JOIN superuser s
       CROSS JOIN LATERAL pg_catalog.pg_identify_object(o.classid, o.objid, 0) i
       LEFT JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.namespace
     WHERE (o.objid OPERATOR(pg_catalog.>=) ${firstUserOid} OR i.identity OPERATOR(pg_catalog.=) 'public')
       AND (n.nspname IS NULL OR (n.nspname OPERATOR(pg_catalog.!~) '^pg_'
         AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema'))
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
         WHERE d.classid OPERATOR(pg_catalog.=) o.classid AND d.objid OPERATOR(pg_catalog.=) o.objid
           AND d.objsubid OPERATOR(pg_catalog.=) 0 AND d.deptype IN ('i', 'P', 'S', 'e'))
     ORDER BY 1, 2`,
    options,
  )
  return rows.map(([classId, objectId, type, schema, identity, owner, mine, version]) => ({
    key: `${classId}:${objectId}`,
    type: type ?? '',
    schema: schema ?? undefined,
    identity: identity ?? '',
    owner: owner ?? '',
    mine: mine === 't',
    version: version ?? '',
  }))
}

/**
 * Keys of all that goes when `dropped` goes with CASCADE, as pg_depend tells. What has no owner counts as the table that
 * it belongs to: a foreign key, a default, a trigger, a policy, a rule.
 */
export async function listDependents(
  connection: Connection,
  dropped: readonly DatabaseObject[],
  options: QueryOptions = {},
): Promise<Set<string>> {
  if (dropped.length === 0) return new Set()
  const seeds = dropped.map(({ key }) => `(${key.replace(':', '::pg_catalog.oid, ')}::pg_catalog.oid)`)
  const ofTable = (catalog: string, relation: string) =>
    `SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid, c.${relation} FROM gone g
       JOIN pg_catalog.${catalog} c ON c.oid OPERATOR(pg_catalog.=) g.objid
     WHERE g.classid OPERATOR(pg_catalog.=) 'pg_catalog.${catalog}'::pg_catalog.regclass AND c.${relation} OPERATOR(pg_catalog.<>) 0`
  const rows = await connection.query(
    `WITH RECURSIVE gone (classid, objid) AS (
       VALUES ${seeds.join(', ')}
       UNION
       SELECT n.classid, n.objid FROM gone g CROSS JOIN LATERAL (
         SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
         WHERE d.refclassid OPERATOR(pg_catalog.=) g.classid AND d.refobjid OPERATOR(pg_catalog.=) g.objid
         UNION ALL
         SELECT d.refclassid, d.refobjid FROM pg_catalog.pg_depend d
         WHERE d.classid OPERATOR(pg_catalog.=) g.classid AND d.objid OPERATOR(pg_catalog.=) g.objid
           AND d.deptype IN ('i', 'e')) n)
     SELECT classid, objid FROM gone
     UNION ${ofTable('pg_constraint', 'conrelid')}
     UNION ${ofTable('pg_attrdef', 'adrelid')}
     UNION ${ofTable('pg_trigger', 'tgrelid')}
     UNION ${ofTable('pg_policy', 'polrelid')}
     UNION ${ofTable('pg_rewrite', 'ev_class')}`,
    options,
  )
  return new Set(rows.map(([classId, objectId]) => `${classId}:${objectId}`))
}

/** OIDs of large objects, by whether the current role may drop them. */
export async function listLargeObjectOwnership(
  connection: Connection,
  options: QueryOptions = {},
): Promise<{ readonly mine: readonly string[]; readonly others: readonly string[] }> {
  const rows = await connection.query(
    "SELECT oid, pg_catalog.pg_has_role(lomowner, 'USAGE') FROM pg_catalog.pg_largeobject_metadata ORDER BY oid",
    options,
  )
  const oidsOf = (wanted: 't' | 'f') => rows.flatMap(([oid, mine]) => (oid && mine === wanted ? [oid] : []))
  return { mine: oidsOf('t'), others: oidsOf('f') }
}
