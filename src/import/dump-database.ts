import type { DatabaseProperties } from '../postgres/catalog/database.ts'
import { nameOf } from '../postgres/pg-dump/schema-text.ts'
import { type Token, readStatements } from '../postgres/sql/sql-tokens.ts'

/** What a dump says of its database; CREATE DATABASE says all of it, and is in every archive and in scripts of --create. */
export type DumpDatabase = Pick<
  DatabaseProperties,
  'encoding' | 'localeProvider' | 'collate' | 'ctype' | 'locale' | 'icuRules'
> & { readonly name: string | undefined }

/** Where a dump does not say it. */
export const plainDatabase: DumpDatabase = {
  name: undefined,
  encoding: 'UTF8',
  localeProvider: 'libc',
  collate: 'C',
  ctype: 'C',
  locale: null,
  icuRules: null,
}

/** Reads pg_dump's `CREATE DATABASE name WITH option = value …`; text is bytes, as latin1. Undefined if it is none. */
export function readCreateDatabase(sql: string): DumpDatabase | undefined {
  const [statement = []] = readStatements(sql)
  const [create, database, name, ...rest] = statement
  if (create?.text !== 'CREATE' || database?.text !== 'DATABASE' || !name) return undefined
  const options = readOptions(rest)
  const provider = options.get('LOCALE_PROVIDER')
  const locale = options.get('LOCALE') ?? 'C'
  return {
    name: toText(nameOf(name)),
    encoding: options.get('ENCODING') ?? plainDatabase.encoding,
    localeProvider: provider === 'icu' || provider === 'builtin' ? provider : 'libc',
    collate: options.get('LC_COLLATE') ?? locale,
    ctype: options.get('LC_CTYPE') ?? locale,
    locale: options.get('ICU_LOCALE') ?? options.get('BUILTIN_LOCALE') ?? null,
    icuRules: options.get('ICU_RULES') ?? null,
  }
}

/** By the words before the equals signs. */
function readOptions(tokens: readonly Token[]): ReadonlyMap<string, string> {
  const options = new Map<string, string>()
  for (const [at, token] of tokens.entries()) {
    const [option, value] = [tokens[at - 1], tokens[at + 1]]
    if (token.text === '=' && option && value) options.set(option.text, valueOf(value))
  }
  return options
}

function valueOf(token: Token): string {
  return toText(token.kind === 'string' ? token.text.slice(1, -1).replaceAll("''", "'") : nameOf(token))
}

/** pg_dump's text is UTF-8 unless the database is of another encoding, whose names are rarely more than ASCII. */
export function toText(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
