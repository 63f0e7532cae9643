import { sqlStateOf } from '../postgres/wire/postgres-error.ts'

/** What every database has, and old dumps make. */
export function isThere(sql: string, error: unknown): boolean {
  return (
    /^(42P06|42710)$/.test(sqlStateOf(error) ?? '') &&
    /^CREATE (SCHEMA public|(OR REPLACE )?PROCEDURAL LANGUAGE plpgsql);$/.test(sql)
  )
}

/** Undefined table, schema, function, object, column. */
export function saysMissing(error: unknown): boolean {
  return /^(42P01|3F000|42883|42704|42703)$/.test(sqlStateOf(error) ?? '')
}
