import type { Environment } from '../postgres/target/connection-target.ts'

/** Replaces every `${NAME}`; the names that the environment lacks come back too. */
export function expandEnvironment(
  text: string,
  environment: Environment,
): { readonly expanded: string; readonly missing: readonly string[] } {
  const missing: string[] = []
  const expanded = text.replaceAll(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (reference, name: string) => {
    const value = environment[name]
    if (value === undefined) missing.push(name)
    return value ?? reference
  })
  return { expanded, missing }
}

/**
 * Whether a connection string, as it stands in the file, spells a password out (or splices one in, where its special
 * characters would break the URL). One variable that is the whole string may hold what it likes: the file has no secret.
 */
export function findPassword(conninfo: string): boolean {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(conninfo)) {
    const [authority = ''] = conninfo.replace(/^[^:]+:\/\//, '').split(/[/?#]/, 1)
    const user = authority.includes('@') ? authority.slice(0, authority.lastIndexOf('@')) : ''
    return /:./.test(user) || /[?&](?:ssl)?password=./i.test(conninfo)
  }
  return /(?:^|\s)(?:ssl)?password\s*=\s*\S/i.test(conninfo)
}
