import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { queryJson } from '../../postgres/catalog/query.ts'
import { quoteIdentifier, quoteLiteral } from '../../postgres/sql/quote.ts'
import type { Connection } from '../../postgres/wire/connection.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

const facts = { of: z.string(), run: z.string(), backup: z.ulid(), comment: z.string().nullable() }

/** What is being restored beside a database, or is `verified` and ready. `comment`: what it is to have as its own. */
const workingSchema = z.strictObject({
  ...facts,
  state: z.enum(['loading', 'verified']),
  /** What a run that resumes this one needs to know of it. */
  choices: z.strictObject({
    noOwner: z.boolean(),
    noPrivileges: z.boolean(),
    noTablespaces: z.boolean(),
    roleMap: z.array(z.tuple([z.string(), z.string()])),
    createRoles: z.boolean(),
  }),
})
export type WorkingRecord = z.output<typeof workingSchema>

/** What a restore (`before`) or an undo (`undone`) has replaced. `comment`: what it had as its own. */
const keptSchema = z.strictObject({
  ...facts,
  state: z.enum(['before', 'undone']),
  at: z.iso.datetime(),
  /** What follows a swap, such as hooks, has been done. */
  ended: z.boolean(),
  /** The refresh that has replaced it, which drops it. */
  refresh: z.string().optional(),
})
export type KeptRecord = z.output<typeof keptSchema>

/** The comment on a database that belongs to a restore in place tells it to later runs. */
const recordSchema = z.discriminatedUnion('state', [workingSchema, keptSchema])
export type SwapRecord = z.output<typeof recordSchema>

/** A database that belongs to a restore in place. */
export interface SetAside<Kind extends SwapRecord = SwapRecord> {
  readonly name: string
  readonly owner: string
  readonly bytes: number
  readonly record: Kind
}

const marker = '\npgrevive: '
const longestName = 63
const workingName = /^pgrevive_swap_/

/** `20261122_210405`, in UTC: when the restore began. */
export function runAt(time: Date): string {
  return time.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '_')
}

/** `shop_before_20261122_210405`; a long name is cut so that it fits into PostgreSQL's 63 bytes. */
export function keptName({ of, state, run }: Pick<KeptRecord, 'of' | 'state' | 'run'>): string {
  return nameWithEnding(of, `_${state}_${run}`)
}

/** `shop_before_dropping_20261122_210405`: while it is saved for the last time, and dropped, it has a name that nobody uses. */
export function droppingName({ of, state, run }: Pick<KeptRecord, 'of' | 'state' | 'run'>): string {
  return nameWithEnding(of, `_${state}_dropping_${run}`)
}

function nameWithEnding(of: string, ending: string): string {
  const room = longestName - Buffer.byteLength(ending)
  const beginning = Buffer.from(of)
    .subarray(0, room)
    .toString()
    .replace(/\uFFFD$/, '') // half of a character
  return beginning + ending
}

export function commentStatement(name: string, comment: string | null, connection: Connection): string {
  const text = comment === null ? 'NULL' : quoteLiteral(comment, connection)
  return `COMMENT ON DATABASE ${quoteIdentifier(name, connection)} IS ${text}`
}

/** The statement that makes a database tell what it is, to people and to later runs. */
export function recordStatement(name: string, record: SwapRecord, connection: Connection): string {
  return commentStatement(name, sentence(record) + marker + JSON.stringify(record), connection)
}

function sentence(record: SwapRecord): string {
  const name = JSON.stringify(record.of)
  switch (record.state) {
    case 'loading':
    case 'verified':
      return `Backup ${record.backup} is being restored here, to take the place of ${name}.`
    case 'before':
      return `This was ${name} until ${record.at}, when backup ${record.backup} took its place: pgrevive restore --undo brings it back, --finish drops it.`
    case 'undone':
      return `This was ${name}, restored from backup ${record.backup}, until that was undone at ${record.at}: pgrevive restore --finish drops it.`
  }
}

/** Whether a database that says so of itself has a name that it would have. */
function isNamedFor(record: SwapRecord, name: string): boolean {
  return isKept(record) ? [keptName(record), droppingName(record)].includes(name) : workingName.test(name)
}

function parseRecord(comment: string): SwapRecord | undefined {
  const at = comment.lastIndexOf(marker)
  if (at < 0) return undefined
  try {
    return recordSchema.safeParse(JSON.parse(comment.slice(at + marker.length))).data
  } catch {
    return undefined // somebody's own words
  }
}

const rowSchema = z.object({
  name: z.string(),
  owner: z.string(),
  bytes: z.string().nullable(),
  comment: z.string(),
  trusted: z.boolean(),
})

/**
 * The databases that restores in place of `of` have made or set aside. Anybody who may create databases could make one that
 * says so of itself: `trusted` is what belongs to the owner of `of`, to the current user or to a superuser.
 */
export async function findSetAside(
  connection: Connection,
  of: string,
  options: QueryOptions = {},
): Promise<(SetAside & { readonly trusted: boolean })[]> {
  const rows = await queryJson(
    connection,
    rowSchema,
    `SELECT d.datname AS name, o.rolname AS owner, pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
       CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT')
         THEN pg_catalog.pg_database_size(d.oid)::text END AS bytes,
       o.rolsuper OR o.rolname OPERATOR(pg_catalog.=) CURRENT_USER OR EXISTS (
         SELECT FROM pg_catalog.pg_database named WHERE named.datdba OPERATOR(pg_catalog.=) d.datdba
           AND named.datname OPERATOR(pg_catalog.=) ${quoteLiteral(of, connection)}) AS trusted
     FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles o ON o.oid OPERATOR(pg_catalog.=) d.datdba
     WHERE pg_catalog.strpos(pg_catalog.shobj_description(d.oid, 'pg_database'), ${quoteLiteral(marker, connection)}) OPERATOR(pg_catalog.>) 0`,
    options,
  )
  return rows.flatMap(({ comment, bytes, ...row }) => {
    const record = parseRecord(comment)
    const isOurs = record?.of === of && isNamedFor(record, row.name)
    return isOurs ? [{ ...row, bytes: Number(bytes ?? 0), record }] : []
  })
}

/**
 * The names of all databases that restores in place have made or set aside, whatever of. One that only says so of itself is
 * not among them: it must belong to a superuser, to the current user, or to the owner of the database that it names.
 */
export async function setAsideNames(connection: Connection, options: QueryOptions = {}): Promise<Set<string>> {
  const ofOwner = z.object({ ...rowSchema.omit({ bytes: true }).shape, siblings: z.array(z.string()) })
  const rows = await queryJson(
    connection,
    ofOwner,
    `SELECT d.datname AS name, o.rolname AS owner, pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
       o.rolsuper OR o.rolname OPERATOR(pg_catalog.=) CURRENT_USER AS trusted,
       (SELECT pg_catalog.json_agg(n.datname) FROM pg_catalog.pg_database n
        WHERE n.datdba OPERATOR(pg_catalog.=) d.datdba) AS siblings
     FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles o ON o.oid OPERATOR(pg_catalog.=) d.datdba
     WHERE pg_catalog.strpos(pg_catalog.shobj_description(d.oid, 'pg_database'), ${quoteLiteral(marker, connection)}) OPERATOR(pg_catalog.>) 0`,
    options,
  )
  const ours = rows.filter(({ name, comment, trusted, siblings }) => {
    const record = parseRecord(comment)
    return record && (trusted || siblings.includes(record.of)) && isNamedFor(record, name)
  })
  return new Set(ours.map(({ name }) => name))
}

/** Those that can be trusted. One that can not is an error where something set aside is `needed` and there is nothing else. */
export async function listSetAside(
  connection: Connection,
  of: string,
  options: QueryOptions & { readonly needed?: boolean } = {},
): Promise<SetAside[]> {
  const found = await findSetAside(connection, of, options)
  const ours = found.filter(({ trusted }) => trusted)
  const [stranger] = found.filter(({ record, trusted }) => !trusted && isKept(record))
  if (stranger && !ours.some(({ record }) => isKept(record)) && options.needed) throw belongsToAnother(stranger)
  return ours.map(({ name, owner, bytes, record }) => ({ name, owner, bytes, record }))
}

/** What was begun and not ended, whoever owns it: such a database may be dropped, and nothing else. */
export async function listWorking(
  connection: Connection,
  of: string,
  options: QueryOptions = {},
): Promise<(SetAside<WorkingRecord> & { readonly trusted: boolean })[]> {
  const found = await findSetAside(connection, of, options)
  return found.flatMap(({ record, ...database }) => (isKept(record) ? [] : [{ ...database, record }]))
}

export function belongsToAnother({ name, owner, record }: SetAside): AppError {
  const of = JSON.stringify(record.of)
  const [says, otherwise] = isKept(record)
    ? [`it was ${of}`, '']
    : [`it is to take the place of ${of}`, '; or drop it with --abort']
  return new AppError(
    'permission-denied',
    `the database ${JSON.stringify(name)} says that ${says}, but belongs to ${owner}, whom ${of} does not belong to`,
    {
      hint: `nothing was changed; anybody could have made it: only if you know that it is what it says, take it over (ALTER DATABASE ${quoteIdentifier(name)} OWNER TO CURRENT_USER) and run the same command again${otherwise}`,
    },
  )
}

export function isKept(record: SwapRecord): record is KeptRecord {
  return record.state === 'before' || record.state === 'undone'
}

/** The newest last. */
export function keptOnes(all: readonly SetAside[]): SetAside<KeptRecord>[] {
  return all
    .flatMap(({ record, ...database }) => (isKept(record) ? [{ ...database, record }] : []))
    .toSorted((a, b) => (a.record.at < b.record.at ? -1 : 1))
}

export function workingOnes(all: readonly SetAside[]): SetAside<WorkingRecord>[] {
  return all.flatMap(({ record, ...database }) => (isKept(record) ? [] : [{ ...database, record }]))
}

/** Excludes any other work in place of the same database for as long as the session lasts. Throws `target-busy`. */
export async function claimName(maintenance: Connection, of: string, options: QueryOptions = {}): Promise<void> {
  const [[isOurs] = []] = await maintenance.query(
    `SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended(${quoteLiteral(`pgrevive restore in place of ${of}`, maintenance)}, 0))`,
    options,
  )
  if (isOurs === 't') return
  throw new AppError('target-busy', `another restore in place of ${JSON.stringify(of)} is at work`, {
    hint: 'nothing was changed; wait until it has ended',
  })
}
