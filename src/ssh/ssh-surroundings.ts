import { join } from 'node:path'

/** Where keys, passwords and known hosts are looked for. */
export interface SshSurroundings {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly homeDirectory: string
}

/** `~/…` below the home directory; other paths as they are. */
export function expandHome(path: string, homeDirectory: string): string {
  return path.startsWith('~/') ? join(homeDirectory, path.slice(2)) : path
}
