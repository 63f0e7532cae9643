import { quoteIdentifier } from '../sql/quote.ts'
import { readStatements, readTokens, splitStatements, type Token } from '../sql/sql-tokens.ts'

/** One object of pg_dump's plain text. */
export interface SchemaEntry {
  /** As in the header: line breaks in it have become spaces. */
  readonly name: string
  readonly type: string
  readonly schema: string | undefined
  readonly owner: string | undefined
  /** Without the header and without the `SET default_…` lines around it. */
  readonly sql: string
  /** The values, as SQL, of the `SET default_…` lines in force. */
  readonly defaults: { readonly tablespace?: string; readonly accessMethod?: string }
}

interface Header {
  readonly name: string
  readonly type: string
  readonly schema: string
  readonly owner: string
}

const headerLine = /--\r?\n-- (?:Data for )?Name: ([^\r\n]*)\r?\n--(?=[\r\n])/y
const lastLine = /--\r?\n-- PostgreSQL database dump complete\r?\n--(?=[\r\n]|$)/y

/**
 * Splits what `dumpSchema` returned at pg_dump's object headers. What stands before the first header is dropped but for
 * its `SET default_…` lines. Throws `pg-dump-failed` if the text is cut off inside a quote.
 */
export function splitSchemaText(text: string): SchemaEntry[] {
  const entries: SchemaEntry[] = []
  let defaults: SchemaEntry['defaults'] = {}
  let header: string | undefined
  let body: Token[] = []
  const finish = () => {
    const statements = splitStatements(body)
    const settings = statements.splice(statements.findLastIndex((statement) => !defaultSetting(text, statement)) + 1)
    const [first, last] = [statements[0]?.[0], statements.at(-1)?.at(-1)]
    if (header !== undefined && first && last) {
      const sql = text.slice(first.start, last.end)
      entries.push({ ...describe(header, sql), sql, defaults })
    }
    for (const setting of settings) defaults = { ...defaults, ...defaultSetting(text, setting) }
    body = []
  }
  let bodyStart = 0
  for (const token of readTokens(text)) {
    if (token.start < bodyStart) continue
    if (token.kind !== 'comment') {
      body.push(token)
      continue
    }
    headerLine.lastIndex = lastLine.lastIndex = token.start
    const match = headerLine.exec(text) ?? lastLine.exec(text)
    if (!match) continue
    finish()
    header = match[1]
    bodyStart = token.start + match[0].length
  }
  finish()
  return entries
}

function defaultSetting(text: string, statement: readonly Token[]): SchemaEntry['defaults'] | undefined {
  const [set, name, equals, value] = statement
  if (set?.text !== 'SET' || equals?.text !== '=' || !value) return undefined
  const sql = text.slice(value.start, statement.at(-1)?.start)
  if (name?.text === 'default_tablespace') return { tablespace: sql }
  if (name?.text === 'default_table_access_method') return { accessMethod: sql }
  return name?.text === 'default_with_oids' ? {} : undefined
}

/**
 * Names may hold "; Type: …", so a header can be read in several ways. The right one names the schema and the owner
 * that the statements name.
 */
function describe(line: string, sql: string): Omit<SchemaEntry, 'sql' | 'defaults'> {
  const readings = [...line.matchAll(/; Type: (?=[A-Z][A-Z ]*; Schema: )/g)].flatMap((at) => readHeader(line, at.index))
  const says = (before: string, name: string, after: string) =>
    [name, `"${name.replaceAll('"', '""')}"`].some((text) => sql.includes(before + text + after))
  const agreement = ({ schema, owner }: Header) =>
    Number(says('', schema, '.')) + 2 * Number(says('OWNER TO ', owner, ';'))
  const best = Math.max(...readings.map(agreement))
  const header = readings.findLast((reading) => agreement(reading) === best)
  return {
    name: header?.name ?? line,
    type: header?.type ?? '',
    schema: header === undefined || header.schema === '-' ? undefined : header.schema,
    owner: header === undefined || header.owner === '-' || header.owner === '' ? undefined : header.owner,
  }
}

function readHeader(line: string, typeAt: number): Header[] {
  const name = line.slice(0, typeAt)
  const [, type = '', rest = ''] = /^; Type: ([A-Z ]*); Schema: (.*)$/.exec(line.slice(typeAt)) ?? []
  return [...rest.matchAll(/; Owner: /g)].flatMap((at) => {
    const schema = rest.slice(0, at.index)
    const owner = rest.slice(at.index + at[0].length)
    const tablespaces = [...owner.matchAll(/; Tablespace: /g)].map((it) => ({
      name,
      type,
      schema,
      owner: owner.slice(0, it.index),
    }))
    return [{ name, type, schema, owner }, ...tablespaces]
  })
}

/** The entry's SQL with the `SET default_…` lines that it needs, to be run on any connection in any order. */
export function statementsOf(entry: SchemaEntry): string {
  return [...settingsOf(entry), entry.sql].join('\n')
}

/** The `SET default_…` lines that an entry needs. */
export function settingsOf({ type, defaults }: SchemaEntry): string[] {
  const stored = type === 'TABLE' || type === 'MATERIALIZED VIEW'
  const indexed = type === 'INDEX' || type === 'CONSTRAINT'
  const settings = [
    (stored || indexed) && defaults.tablespace && `SET default_tablespace = ${defaults.tablespace};`,
    stored && defaults.accessMethod && `SET default_table_access_method = ${defaults.accessMethod};`,
  ]
  return settings.filter((setting) => typeof setting === 'string')
}

/** Drops the `ALTER … OWNER TO …` statements: whoever runs the rest owns the object. */
export function withoutOwner(entry: SchemaEntry): SchemaEntry {
  const isOwner = (statement: readonly Token[]) => /^ALTER .* OWNER TO #\d+ ;$/.test(outline(statement))
  return { ...withoutStatements(entry, isOwner), owner: undefined }
}

/** Drops the statements that have columns compressed with lz4, as pg_dump's --no-toast-compression does. */
export function withoutLz4(entry: SchemaEntry): SchemaEntry {
  if (!entry.sql.includes(' SET COMPRESSION lz4;')) return entry
  return withoutStatements(entry, (statement) => {
    const [compression, method] = statement.slice(-3)
    return compression?.text === 'COMPRESSION' && method?.text === 'lz4' && statement[0]?.text === 'ALTER'
  })
}

const takesSchemaFromAll = /^REVOKE [A-Z]+ ON SCHEMA #\d+ FROM PUBLIC ;$/

/** Privileges of a schema as two entries, where that makes no difference: what they give, and that PUBLIC loses it. */
export function withRevokeApart(entry: SchemaEntry): SchemaEntry[] {
  if (!/^REVOKE [A-Z]+ ON SCHEMA /.test(entry.sql) || entry.sql.includes(' TO PUBLIC')) return [entry]
  const isRevoke = (statement: readonly Token[]) => takesSchemaFromAll.test(outline(statement))
  const rest = withoutStatements(entry, isRevoke)
  const revoke = withoutStatements(entry, (statement) => !isRevoke(statement))
  return [rest, revoke].filter(({ sql }) => sql !== '')
}

/** Whether PUBLIC loses a schema by it, and nothing else happens. */
export function takesSchemaFromPublic({ type, sql }: SchemaEntry): boolean {
  return type === 'ACL' && readStatements(sql).every((statement) => takesSchemaFromAll.test(outline(statement)))
}

/** Each goes with the blanks before it, so that the rest reads as if it had never been there. */
function withoutStatements(entry: SchemaEntry, isUnwanted: (statement: readonly Token[]) => boolean): SchemaEntry {
  const statements = readStatements(entry.sql)
  const sql = statements.map((statement, index) => {
    if (isUnwanted(statement)) return ''
    return entry.sql.slice(statements[index - 1]?.at(-1)?.end ?? 0, statement.at(-1)?.end)
  })
  return { ...entry, sql: sql.join('').trimStart() }
}

/** Replaces the roles that own the object, grant, are granted to, or are named by a policy or a user mapping. */
export function mapRoles(entry: SchemaEntry, roles: ReadonlyMap<string, string>): SchemaEntry {
  let sql = ''
  let copied = 0
  for (const token of roleTokens(entry)) {
    const role = roles.get(nameOf(token))
    if (role === undefined) continue
    sql += entry.sql.slice(copied, token.start) + quoteIdentifier(role)
    copied = token.end
  }
  const owner = entry.owner === undefined ? undefined : (roles.get(entry.owner) ?? entry.owner)
  return { ...entry, owner, sql: sql + entry.sql.slice(copied) }
}

/** The roles that `mapRoles` could replace. PUBLIC and the like are none. */
export function rolesOf(entry: Pick<SchemaEntry, 'sql'>): Set<string> {
  return new Set(roleTokens(entry).map(nameOf))
}

const rolePatterns = [
  /^ALTER .* OWNER TO (#\d+) ;$/,
  /^SET SESSION AUTHORIZATION (#\d+) ;$/,
  /^ALTER DEFAULT PRIVILEGES FOR ROLE (#\d+) /,
  /^(?:GRANT|REVOKE|ALTER DEFAULT PRIVILEGES|CREATE POLICY) .*? (?:TO|FROM) ((?:(?:GROUP |, )*(?:#\d+|[A-Z_]+) )+)/,
  /^(?:GRANT|REVOKE) .* GRANTED BY (#\d+) /,
  /^CREATE USER MAPPING FOR (#\d+) /,
  /^CREATE SCHEMA (?:#\d+ )?AUTHORIZATION (#\d+) /,
  /^ALTER ROLE (#\d+) IN DATABASE /,
]

/** In the order of the text. */
function roleTokens(entry: Pick<SchemaEntry, 'sql'>): Token[] {
  return readStatements(entry.sql).flatMap((statement) => {
    const shape = outline(statement)
    const named = rolePatterns.map((pattern) => pattern.exec(shape)?.[1] ?? '').join(' ')
    const tokens = statement.filter((_, index) => ` ${named} `.includes(` #${index} `))
    // pg_dump writes the user mapping of PUBLIC with a small p; no role can have that name.
    return tokens.filter((token) => nameOf(token) !== 'public')
  })
}

const tablePatterns = [
  /^CREATE (?:UNIQUE )?INDEX #\d+ ON (?:ONLY )?#(\d+) \. #(\d+) /,
  /^CREATE (?:CONSTRAINT )?TRIGGER #\d+ .*? ON #(\d+) \. #(\d+) /,
  /^CREATE POLICY #\d+ ON #(\d+) \. #(\d+) /,
  /^CREATE (?:OR REPLACE )?RULE #\d+ AS ON [A-Z]+ TO #(\d+) \. #(\d+) /,
  /^CREATE (?:OR REPLACE )?(?:[A-Z]+ )?(?:TABLE|VIEW) #(\d+) \. #(\d+) /,
  /^CREATE STATISTICS .* FROM #(\d+) \. #(\d+) /,
  /^ALTER TABLE .* ATTACH PARTITION #(\d+) \. #(\d+) /,
  /^ALTER (?:FOREIGN )?TABLE (?:IF EXISTS )?(?:ONLY )?#(\d+) \. #(\d+) /,
  /^ALTER SEQUENCE .* OWNED BY #(\d+) \. #(\d+) \. /,
  /^ALTER PUBLICATION #\d+ ADD TABLE (?:ONLY )?#(\d+) \. #(\d+) /,
  /^COMMENT ON (?:COLUMN|(?:FOREIGN )?TABLE|(?:MATERIALIZED )?VIEW) #(\d+) \. #(\d+) /,
  /^COMMENT ON (?:TRIGGER|CONSTRAINT|RULE|POLICY) #\d+ ON #(\d+) \. #(\d+) /,
  /^SECURITY LABEL FOR \S+ ON (?:COLUMN|(?:FOREIGN )?TABLE|(?:MATERIALIZED )?VIEW) #(\d+) \. #(\d+) /,
  /^(?:GRANT|REVOKE) .*? ON TABLE #(\d+) \. #(\d+) /,
  /^REFRESH MATERIALIZED VIEW #(\d+) \. #(\d+) /,
]

/**
 * The table (or view, or materialized view) that the entry is or belongs to; for an attached partition, the partition.
 * Undefined for everything else, and where the text does not say it: comments on indexes, attached indexes.
 */
export function tableOf(entry: SchemaEntry): { schema: string; name: string } | undefined {
  return findTable(entry, tablePatterns)
}

/**
 * pg_dump prints a view that needs a primary key as a stand-in of NULLs, and behind the key a rule that makes it what it
 * is. Of such a rule: the view, which must not stay when the rule can not be made.
 */
export function standInOf(entry: SchemaEntry): { schema: string; name: string } | undefined {
  return entry.type === 'RULE' && entry.name.endsWith(' _RETURN') ? tableOf(entry) : undefined
}

/** The table that a foreign key refers to. */
export function referencedTableOf(entry: SchemaEntry): { schema: string; name: string } | undefined {
  return findTable(entry, [/^ALTER TABLE .* REFERENCES #(\d+) \. #(\d+) /])
}

function findTable(entry: SchemaEntry, patterns: readonly RegExp[]): { schema: string; name: string } | undefined {
  const statements = readStatements(entry.sql)
  const statement = statements.find((it) => it[0]?.text !== 'SET' && it[0]?.text !== 'RESET') ?? []
  const shape = outline(statement)
  for (const pattern of patterns) {
    const match = pattern.exec(shape)
    const [schema, name] = [statement[Number(match?.[1])], statement[Number(match?.[2])]]
    if (schema && name) return { schema: nameOf(schema), name: nameOf(name) }
  }
  return undefined
}

/**
 * What a statement looks like from afar: `ALTER TABLE #2 . #4 OWNER TO #7 ;`. A name is the index of its token; what
 * stands in parentheses is left out. pg_dump writes keywords in capitals and quotes names that have capitals.
 */
export function outline(statement: readonly Token[]): string {
  let parentheses = 0
  const words = statement.map((token, index) => {
    if (token.text === ')') parentheses--
    const hidden = parentheses > 0
    if (token.text === '(') parentheses++
    if (hidden) return ''
    if (token.kind === 'string') return `'`
    return token.kind === 'quoted' || (token.kind === 'word' && /^[^A-Z\d]/.test(token.text)) ? `#${index}` : token.text
  })
  return words.filter((word) => word !== '').join(' ')
}

export function nameOf({ kind, text }: Token): string {
  return kind === 'quoted' ? text.slice(1, -1).replaceAll('""', '"') : text
}
