import { grantSchema, grantsOf } from './database.ts'
import { queryJson } from './query.ts'
import type { Connection } from '../wire/connection.ts'
import { type TextEncoding, quoteIdentifier, quoteLiteral } from '../sql/quote.ts'
import { z } from 'zod'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

/** A row of the stream holds at most this much of one large object. */
const pieceBytes = 262_144
/** INV_READ of libpq-fs.h. */
const openForReading = 0x40000
/** Each takes a lock until the transaction ends; a default server has room for some thousands. */
const objectsPerTransaction = 500

const largeObjectSchema = z.object({
  oid: z.string(),
  owner: z.string(),
  comment: z.string().nullable(),
  grants: z.array(grantSchema).nullable(),
})
/** What a large object is besides its bytes. */
export type LargeObject = z.output<typeof largeObjectSchema>
export const largeObjectsSchema = z.array(largeObjectSchema)

/**
 * In the order of their OIDs. Not left to pg_dump: its versions put them into different sections, and print a statement
 * for each.
 */
export function listLargeObjects(connection: Connection, options: QueryOptions = {}): Promise<LargeObject[]> {
  return queryJson(
    connection,
    largeObjectSchema,
    `SELECT m.oid::pg_catalog.text AS oid, pg_catalog.pg_get_userbyid(m.lomowner) AS owner,
       pg_catalog.obj_description(m.oid, 'pg_largeobject') AS comment, ${grantsOf('m.lomacl')} AS grants
     FROM pg_catalog.pg_largeobject_metadata m ORDER BY m.oid`,
    options,
  )
}

/**
 * Rows (oid, offset, data) of all large objects; one with no bytes has one row with none. Needs the right to read each:
 * a large object that may not be read is an error. Set-based: one by one it takes 25 times as long.
 */
export const copyLargeObjectsOut = `COPY (
  SELECT l.oid, p.start, pg_catalog.lo_get(l.oid, p.start, ${pieceBytes})
  FROM (
    SELECT m.oid, (
      SELECT pg_catalog.lo_lseek64(f.fd, 0, 2)
        OPERATOR(pg_catalog.+) (0 OPERATOR(pg_catalog.*) pg_catalog.lo_close(f.fd))
      FROM (SELECT pg_catalog.lo_open(m.oid, ${openForReading}) AS fd OFFSET 0) f) AS size
    FROM pg_catalog.pg_largeobject_metadata m ORDER BY m.oid OFFSET 0) l
  CROSS JOIN LATERAL pg_catalog.generate_series(
    0::pg_catalog.int8, GREATEST(l.size OPERATOR(pg_catalog.-) 1, 0), ${pieceBytes}::pg_catalog.int8) AS p(start)
  ORDER BY l.oid, p.start) TO STDOUT`

/** Creates large objects under their OIDs and fills them with the rows that copyLargeObjectsOut gave. */
export async function loadLargeObjects(
  connection: Connection,
  objects: readonly LargeObject[],
  source: AsyncIterable<Uint8Array>,
  options: QueryOptions = {},
): Promise<void> {
  await inTransactions(connection, objects, options, (batch) => [
    `SELECT pg_catalog.count(pg_catalog.lo_create(oid)) FROM pg_catalog.unnest('{${batch.map(({ oid }) => oid).join()}}'::pg_catalog.oid[]) AS o(oid)`,
  ])
  await fillLargeObjects(connection, source, options)
}

/** Writes rows as copyLargeObjectsOut gives them into large objects that are there; all of them or none. */
export async function fillLargeObjects(
  connection: Connection,
  source: AsyncIterable<Uint8Array>,
  options: QueryOptions = {},
): Promise<void> {
  await connection.execute(
    'BEGIN; CREATE TEMPORARY TABLE pgrevive_large_objects (oid oid, start int8, data bytea) ON COMMIT DROP',
    options,
  )
  await connection.copyIn('COPY pg_temp.pgrevive_large_objects FROM STDIN', source, options)
  await connection.execute(
    `SELECT pg_catalog.count(pg_catalog.lo_put(oid, start, data)::pg_catalog.text) FROM pg_temp.pgrevive_large_objects;
     COMMIT`,
    options,
  )
}

/**
 * How many large objects of the database have the OIDs of `objects`, and a statement that unlinks some of these at a
 * time; undefined if there is none.
 */
export async function findTakenOids(
  connection: Connection,
  objects: readonly LargeObject[],
  options: QueryOptions = {},
): Promise<{ readonly count: number; readonly unlink: string } | undefined> {
  if (objects.length === 0) return undefined
  const wanted = new Set(objects.map(({ oid }) => oid))
  const rows = await connection.query('SELECT oid FROM pg_catalog.pg_largeobject_metadata ORDER BY oid', options)
  // runs of those that follow each other in the database, since there may be too many to name each
  const runs: { readonly first: string; last: string }[] = []
  let count = 0
  let run: (typeof runs)[number] | undefined
  for (const [oid = null] of rows) {
    if (oid === null || !wanted.has(oid)) {
      run = undefined
      continue
    }
    count++
    if (run) run.last = oid
    else runs.push((run = { first: oid, last: oid }))
  }
  if (count === 0) return undefined
  const among = runs.map(({ first, last }) => `oid BETWEEN ${first} AND ${last}`).join(' OR ')
  return {
    count,
    unlink: `SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE ${among} LIMIT ${objectsPerTransaction}`,
  }
}

export async function dropLargeObjects(
  connection: Connection,
  objects: readonly LargeObject[],
  options: QueryOptions = {},
): Promise<void> {
  await inTransactions(connection, objects, options, (batch) => [
    `SELECT pg_catalog.count(pg_catalog.lo_unlink(oid)) FROM pg_catalog.unnest('{${batch.map(({ oid }) => oid).join()}}'::pg_catalog.oid[]) AS o(oid)`,
  ])
}

/** Gives large objects their comments and, where wanted, their owners and privileges. */
export async function describeLargeObjects(
  connection: Connection,
  objects: readonly LargeObject[],
  options: QueryOptions & { readonly owners: boolean; readonly privileges: boolean },
): Promise<void> {
  await inTransactions(connection, objects, options, (batch) =>
    batch.flatMap((object) => [
      ...largeObjectCommentStatements(object, connection),
      ...(options.owners ? [largeObjectOwnerStatement(object, connection)] : []),
      ...(options.privileges ? largeObjectPrivilegeStatements(object, { owners: options.owners }, connection) : []),
    ]),
  )
}

export function largeObjectCommentStatements({ oid, comment }: LargeObject, connection: TextEncoding): string[] {
  return comment === null ? [] : [`COMMENT ON LARGE OBJECT ${oid} IS ${quoteLiteral(comment, connection)}`]
}

export function largeObjectOwnerStatement({ oid, owner }: LargeObject, connection: TextEncoding): string {
  return `ALTER LARGE OBJECT ${oid} OWNER TO ${quoteIdentifier(owner, connection)}`
}

/** `owners`: the object belongs to its owner, and not to whoever restores. */
export function largeObjectPrivilegeStatements(
  { oid, owner, grants }: LargeObject,
  { owners }: { readonly owners: boolean },
  connection: TextEncoding,
): string[] {
  if (grants === null) return []
  const name = `LARGE OBJECT ${oid}`
  return [
    `REVOKE ALL ON ${name} FROM ${owners ? quoteIdentifier(owner, connection) : 'CURRENT_USER'}`,
    ...grants.map(
      ({ grantee, privilege, grantable }) =>
        `GRANT ${privilege} ON ${name} TO ${grantee === null ? 'PUBLIC' : quoteIdentifier(grantee, connection)}` +
        (grantable ? ' WITH GRANT OPTION' : ''),
    ),
  ]
}

async function inTransactions(
  connection: Connection,
  objects: readonly LargeObject[],
  options: QueryOptions,
  statementsFor: (batch: readonly LargeObject[]) => string[],
): Promise<void> {
  for (let first = 0; first < objects.length; first += objectsPerTransaction) {
    const statements = statementsFor(objects.slice(first, first + objectsPerTransaction))
    if (statements.length > 0) await connection.execute(statements.join(';\n'), options)
  }
}
