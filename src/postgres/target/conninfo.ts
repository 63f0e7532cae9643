import { AppError } from '../../core/app-error.ts'
import { checkKeyword, type ConninfoKeyword } from './conninfo-keywords.ts'

export type ConninfoSettings = ReadonlyMap<ConninfoKeyword, string>

/**
 * Reads what psql takes after `-d`: a `postgres://` or `postgresql://` URI, a `keyword=value` string, or else the bare
 * name of a database. Throws `connection-invalid`; no message repeats a value, since any of them may be part of a
 * password that was not quoted or encoded.
 *
 * The rules are those of libpq's fe-connect.c (`conninfo_parse`, `conninfo_uri_parse_options`).
 */
export function parseConninfo(text: string): ConninfoSettings {
  if (/^postgres(ql)?:\/\//.test(text)) return parseUri(text.slice(text.indexOf('//') + 2))
  if (/^[a-z][a-z0-9+.:-]*:\/\//i.test(text)) {
    throw invalid('the connection URI has an unknown scheme', 'begin it with postgres:// or postgresql://')
  }
  if (text.includes('=')) return parseKeywordValues(text)
  return new Map(text === '' ? [] : [['dbname', text]])
}

/** What `parseConninfo` reads as these settings. */
export function formatConninfo(settings: Iterable<readonly [keyword: string, value: string]>): string {
  return Array.from(settings, ([keyword, value]) => `${keyword}='${value.replaceAll(/['\\]/g, String.raw`\$&`)}'`).join(
    ' ',
  )
}

function parseKeywordValues(text: string): ConninfoSettings {
  const settings = new Map<ConninfoKeyword, string>()
  // A value is quoted, with backslash escapes, or runs to the next blank, with the same escapes.
  const pair = /\s*([^\s=]+)\s*=\s*(?:'((?:[^'\\]|\\[^])*)'|((?:[^\s'\\]|\\[^])(?:[^\s\\]|\\[^])*)?)(?=\s|$)/y
  const end = text.trimEnd().length
  while (pair.lastIndex < end) {
    const match = pair.exec(text)
    if (!match) {
      throw invalid(
        'the connection string is not a list of keyword=value pairs',
        "put values that hold blanks into single quotes, and write \\' and \\\\ for a quote and a backslash",
      )
    }
    const keyword = checkKeyword(match[1] ?? '')
    const value = (match[2] ?? match[3] ?? '').replace(/\\([^])/g, '$1')
    if (keyword !== undefined) settings.set(keyword, value)
  }
  return settings
}

function parseUri(text: string): ConninfoSettings {
  const settings = new Map<ConninfoKeyword, string>()
  const setUnlessEmpty = (keyword: ConninfoKeyword, value: string | undefined) => {
    if (value) settings.set(keyword, decodePercent(value))
  }
  const [, user, password, hosts = '', database, query] =
    /^(?:([^@/:]*)(?::([^@/]*))?@)?([^/?]*)(?:\/([^?]*))?(?:\?([^]*))?$/.exec(text) ?? []
  setUnlessEmpty('user', user)
  setUnlessEmpty('password', password)
  setUnlessEmpty('dbname', database)
  parseUriHosts(hosts, settings)
  if (query) for (const [keyword, value] of parseUriQuery(query)) settings.set(keyword, value)
  return settings
}

function parseUriHosts(text: string, settings: Map<ConninfoKeyword, string>): void {
  if (text.includes('@')) {
    throw invalid('the connection URI holds "@" more than once', 'write "@" in a user name or password as %40')
  }
  const parts = text.split(',').map((part) => /^(\[[^\]]+\]|[^:[\]]*)(?::(\d*))?$/.exec(part))
  const hosts = parts.map((part) => {
    if (part) return decodePercent((part[1] ?? '').replace(/^\[|\]$/g, ''))
    throw invalid(
      'the host or port in the connection URI is malformed',
      'write "/", "@" and ":" in a user name or password as %2F, %40 and %3A, and IPv6 addresses in brackets',
    )
  })
  const ports = parts.map((part) => part?.[2] ?? '')
  if (hosts.some((host) => host !== '')) settings.set('host', hosts.join(','))
  if (ports.some((port) => port !== '')) settings.set('port', ports.join(','))
}

function* parseUriQuery(text: string): Generator<[ConninfoKeyword, string]> {
  for (const pair of text.split('&')) {
    const [name = '', value, ...more] = pair.split('=')
    if (value === undefined || more.length > 0) {
      throw invalid('the query of the connection URI is malformed', 'write "=" and "&" in a value as %3D and %26')
    }
    // libpq takes JDBC's spelling of this one.
    if (name === 'ssl' && value === 'true') yield ['sslmode', 'require']
    else {
      const keyword = checkKeyword(decodePercent(name))
      if (keyword !== undefined) yield [keyword, decodePercent(value)]
    }
  }
}

function decodePercent(text: string): string {
  try {
    const decoded = decodeURIComponent(text)
    if (!decoded.includes('\0')) return decoded
  } catch (error) {
    if (!(error instanceof URIError)) throw error
  }
  throw invalid('the connection URI holds a malformed percent sign', 'write "%" in a name or password as %25')
}

function invalid(message: string, hint: string): AppError {
  return new AppError('connection-invalid', message, { hint })
}
