import { readFile, readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { Connection } from '../../postgres/wire/connection.ts'
import { quoteQualified } from '../../postgres/sql/quote.ts'
import { prepareForReading } from '../../postgres/wire/session-settings.ts'

/** Where repositories lie that released versions have written. */
export const goldenFolder = fileURLToPath(new URL('../../../golden/', import.meta.url))
/** What they hold. */
export const goldenDatabase = `${goldenFolder}database.sql`

const expectedSchema = z.strictObject({
  tool: z.string(),
  /** Of the repositories that have one; the others have a recovery kit beside them. */
  passphrase: z.string().optional(),
  /** Oldest first. */
  backups: z.array(z.strictObject({ id: z.ulid(), digests: z.record(z.string(), z.string()) })),
})
export type Expected = z.output<typeof expectedSchema>

/** The golden repositories by the names of their folders. */
export async function readGolden(): Promise<ReadonlyMap<string, Expected>> {
  const entries = await readdir(goldenFolder, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  const read = async (name: string) =>
    [name, expectedSchema.parse(JSON.parse(await readFile(`${goldenFolder}${name}/expected.json`, 'utf8')))] as const
  return new Map(await Promise.all(names.toSorted().map(read)))
}

const ownSchemas = `n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`

/** Rows (name, digest): sequences, large objects, and whatever else is in the catalog. */
const catalogDigests = `
  SELECT 'large objects', pg_catalog.count(*) || ' ' || coalesce(md5(string_agg(row(m.oid, lomowner::regrole, lomacl,
      obj_description(m.oid, 'pg_largeobject'), md5(lo_get(m.oid)))::text, E'\n' ORDER BY m.oid)), '')
    FROM pg_largeobject_metadata m
  UNION ALL
  SELECT kind, pg_catalog.count(*) || ' ' || md5(string_agg(item, E'\n' ORDER BY item COLLATE "C")) FROM (
    SELECT 'relations', row(c.oid::regclass, relkind, relowner::regrole, relacl, relrowsecurity, relforcerowsecurity,
        relispopulated, relpersistence, obj_description(c.oid, 'pg_class'))::text
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${ownSchemas}
    UNION ALL
    SELECT 'constraints', row(conrelid::regclass, conname, contype, convalidated, pg_get_constraintdef(c.oid))::text
      FROM pg_constraint c JOIN pg_namespace n ON n.oid = connamespace WHERE ${ownSchemas} AND contype <> 'n' -- since 18
    UNION ALL
    SELECT 'functions', row(p.oid::regprocedure, prosrc, proacl)::text
      FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE ${ownSchemas}
    UNION ALL
    SELECT 'triggers', row(tgrelid::regclass, tgname, tgenabled)::text FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'policies', row(polrelid::regclass, polname, pg_get_expr(polqual, polrelid))::text FROM pg_policy
    UNION ALL
    SELECT 'event triggers', row(evtname, evtevent, evtenabled)::text FROM pg_event_trigger
  ) items (kind, item) GROUP BY kind`

/**
 * What a database holds, in few words: the number of rows of each table and their MD5, where sequences stand, and so on.
 * Asks PostgreSQL alone, and nothing that pgrevive uses to find out the same.
 */
export async function digestDatabase(connection: Connection): Promise<Record<string, string>> {
  await prepareForReading(connection)
  // partitions by a hash of an enum are filled otherwise on each server: only their table as a whole counts
  const relations = await connection.query(
    `SELECT c.relkind, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE ${ownSchemas} AND c.relkind IN ('r', 'p', 'm', 'S') AND NOT c.relispartition AND c.relispopulated ORDER BY 2, 3`,
  )
  const digests: [string, string][] = []
  for (const [kind, schema = '', name = ''] of relations) {
    const item = quoteQualified(schema ?? '', name ?? '')
    const [[digest] = []] = await connection.query(
      kind === 'S'
        ? `SELECT last_value || ' ' || is_called FROM ${item}`
        : `SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE "C")), '')
           FROM ${kind === 'r' ? 'ONLY' : ''} ${item} t`,
    )
    digests.push([`${schema}.${name}`, digest ?? ''])
  }
  const others = await connection.query(catalogDigests)
  return Object.fromEntries([...digests, ...others.map(([name, digest]) => [name ?? '', digest ?? ''] as const)])
}
