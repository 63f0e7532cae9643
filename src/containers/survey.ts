import { z } from 'zod'
import type { Container } from './container.ts'

/** What is in a container, as far as a shell in it can tell. */
export interface Survey {
  /** Of those that can carry a stream. */
  readonly programs: readonly string[]
  /** What the server says in postmaster.pid; undefined where it can not be found or read. */
  readonly server:
    | { readonly port: number; readonly socketDirectory: string | undefined; readonly listen: string | undefined }
    | undefined
  /** The content of POSTGRES_PASSWORD_FILE. */
  readonly password: string | undefined
}

const usualDirectories = [
  '/var/lib/postgresql/data',
  '/var/lib/postgresql/data/pgdata',
  '/var/lib/postgresql/*/docker',
  '/var/lib/postgresql/*/main',
  '/bitnami/postgresql/data',
]

/** Prints lines `program NAME`, and `pid LINE` and `password LINE` for each line of postmaster.pid and of the password's file. */
const script = `
lines() { while IFS= read -r l || [ -n "$l" ]; do printf '%s %s\\n' "$1" "$l"; done; }
for p in socat perl python3 nc bash; do command -v $p >/dev/null 2>&1 && echo "program $p"; done
for d in "\${PGDATA:-/nowhere}" ${usualDirectories.join(' ')}; do
  if [ -r "$d/postmaster.pid" ]; then lines pid <"$d/postmaster.pid"; break; fi
done
if [ -r "\${POSTGRES_PASSWORD_FILE:-}" ]; then lines password <"$POSTGRES_PASSWORD_FILE"; fi
`

const port = z.coerce.number().int().min(1).max(65_535)

/** Looks around in a container that runs; one without a shell tells nothing. */
export async function surveyContainer(container: Pick<Container, 'exec'>): Promise<Survey> {
  const { output } = await container.exec(['sh', '-c', script])
  const told = (word: string) =>
    output.split('\n').flatMap((line) => (line.startsWith(`${word} `) ? line.slice(word.length + 1) : []))
  // Its lines: pid, data directory, start time, port, directory of the socket, address, … (miscadmin.h)
  const [, , , portText, socketDirectory, listen] = told('pid')
  const known = port.safeParse(portText)
  return {
    programs: told('program'),
    server: known.success ? { port: known.data, socketDirectory, listen } : undefined,
    // as the official image reads it: all but line breaks at its end
    password: told('password').join('\n').replace(/\n+$/, '') || undefined,
  }
}
