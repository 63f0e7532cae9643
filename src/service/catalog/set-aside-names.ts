import type { KnownDatabase } from './catalog.ts'

/** Of the names under which restores save what a database was: src/restore/in-place/set-aside.ts, src/cli/restoring/safety-backup.ts. */
const ending = /_(?:(?:before|undone)_\d{8}_\d{6}|before_replace)$/

/**
 * The database that backups of this name were made of, before a restore took its place: `shop` for
 * `shop_before_20261122_210405`. Undefined for any other name, and where several databases, or none, may be meant.
 */
export function setAsideOf(name: string, known: Iterable<KnownDatabase>): string | undefined {
  const of = name.replace(ending, '')
  if (of === name) return undefined
  const [only, other] = [...known].filter((one) => one.name === of || nameOnServer(one) === of)
  return other ? undefined : only?.name
}

/** A restore knows a database by the name that it has on its server. */
function nameOnServer({ name, source, server }: KnownDatabase): string | undefined {
  return server === null ? source?.slice(source.lastIndexOf('/') + 1) : name.slice(server.length + 1)
}
