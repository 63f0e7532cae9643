import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import { formatKeyFile } from '../repository/keys/key-file.ts'
import type { Repository } from '../repository/repository.ts'

/** Without the directories that npm puts first: whatever runs here finds no Node of ours. */
const path = '/usr/bin:/bin:/usr/local/bin'

export interface Ended {
  readonly exitCode: unknown
  readonly stdout: string
  readonly stderr: string
}

/** Runs a script as bash does with `set -o pipefail`. */
async function runShell(
  script: string,
  directory: string,
  variables: Readonly<Record<string, string>>,
): Promise<Ended> {
  const child = spawn('bash', ['-o', 'pipefail', '-c', script], {
    cwd: directory,
    env: { PATH: path, LC_ALL: 'C.UTF-8', ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<unknown[]>,
  ])
  return { exitCode, stdout, stderr }
}

/** What this machine lacks to run restore.py, in words; false if nothing. */
export async function lacksKitTools(): Promise<string | false> {
  const needs = {
    'python3 -c "import cryptography, zstandard"': 'python3-cryptography and python3-zstandard',
    'age --version': 'age',
    'psql --version': 'postgresql-client',
  }
  const lacking: string[] = []
  for (const [test, names] of Object.entries(needs)) {
    const { exitCode } = await runShell(test, '/', {})
    if (exitCode !== 0) lacking.push(names)
  }
  return lacking.length > 0 && `restore.py is NOT TESTED here: apt install ${lacking.join(' ')}`
}

/** A shell in the directory of a repository, with `$KEY`, its key file, and nothing of pgrevive. */
export class KitShell implements AsyncDisposable {
  readonly #repository: Repository
  readonly #directory: string

  private constructor(repository: Repository, directory: string) {
    this.#repository = repository
    this.#directory = directory
  }

  static async open(repository: Repository): Promise<KitShell> {
    const directory = await mkdtemp(join(tmpdir(), 'pgrevive-kit-'))
    await writeFile(join(directory, 'key.txt'), await formatKeyFile(repository.key))
    return new KitShell(repository, directory)
  }

  /** A path of its own for whatever the script writes. */
  path(name: string): string {
    return join(this.#directory, name)
  }

  /** libpq's variables lead to `server`. */
  run(script: string, server?: ConnectionTarget): Promise<Ended> {
    const [host] = server?.hosts ?? []
    return runShell(script, this.#repository.store.location, {
      KEY: this.path('key.txt'),
      ...(server && host
        ? {
            PGHOST: host.host,
            PGPORT: String(host.port),
            PGUSER: server.user,
            PGPASSWORD: server.password(host) ?? '',
          }
        : {}),
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true })
  }
}
