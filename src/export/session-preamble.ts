import type { Manifest } from '../repository/backups/manifest.ts'

/** Of names and statements: the schema's, which is UTF8 unless the database does not know what its bytes mean. */
export function textEncoding({ database }: Manifest): 'UTF8' | 'SQL_ASCII' {
  return database.encoding === 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8'
}

export function encodeText(text: string, manifest: Manifest): Buffer {
  return Buffer.from(text, bufferEncoding(manifest))
}

export function bufferEncoding(manifest: Manifest): 'utf8' | 'latin1' {
  return textEncoding(manifest) === 'SQL_ASCII' ? 'latin1' : 'utf8'
}

export const emptySearchPath = "SELECT pg_catalog.set_config('search_path', '', false);"

/** What pgrevive's COPY text needs to be read as it was written, whatever the target database is set to. */
export const dataSettings = [
  "SET lc_monetary = 'C';",
  'SET array_nulls = on;',
  'SET default_transaction_read_only = off;',
] as const

/** What pg_dump's scripts begin with. */
export function scriptSettings(manifest: Manifest): string[] {
  return [
    'SET statement_timeout = 0;',
    'SET lock_timeout = 0;',
    'SET idle_in_transaction_session_timeout = 0;',
    `SET client_encoding = '${textEncoding(manifest)}';`,
    'SET standard_conforming_strings = on;',
    emptySearchPath,
    'SET check_function_bodies = false;',
    'SET xmloption = content;',
    'SET client_min_messages = warning;',
    'SET row_security = off;',
    ...dataSettings,
  ]
}
