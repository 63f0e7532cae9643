import { readFile } from 'node:fs/promises'
import { isContainerUrl } from '../../containers/container-reference.ts'
import { AppError } from '../../core/app-error.ts'
import type { SelectionPatterns } from '../../postgres/catalog/tables.ts'
import { everything } from '../../repository/backups/manifest.ts'
import type { Assertion } from '../../restore/run-assertions.ts'
import type { Environment } from '../../postgres/target/connection-target.ts'
import type { Config, ConfiguredDatabase } from '../../config/config.ts'
import type { ReachedDatabase } from '../../config/config-refreshes.ts'
import type { SecretSource } from '../../config/config-secret.ts'
import type { SshPlace } from '../../ssh/ssh-place.ts'
import { printable } from '../../core/text/printable.ts'
import { nearestWord } from '../../core/text/suggestion.ts'

/** A database to work on, ready for `reachDatabase`. */
export interface DatabaseTarget {
  /** Its name in pgrevive.yaml. */
  readonly name: string | undefined
  /** Or the URL of one in a container. Undefined: what libpq's variables say. */
  readonly conninfo: string | undefined
  /** The SSH server from which it is reached. */
  readonly tunnel: SshPlace | undefined
  /** Holds the configured password as PGPASSWORD; for this database only. */
  readonly environment: Environment
  readonly selection: SelectionPatterns
  readonly assertions: readonly Assertion[]
}

interface TargetSource {
  readonly config: Config | undefined
  readonly environment: Environment
}

/**
 * The databases that were named, or without a name all configured ones, or the one of libpq's variables. Throws
 * `usage-invalid` for an unknown name and when there is nothing to work on.
 */
export async function findDatabases(references: readonly string[], source: TargetSource): Promise<DatabaseTarget[]> {
  const { config, environment } = source
  if (references.length > 0) return Promise.all(references.map((reference) => findDatabase(reference, source)))
  if (config && config.databases.size > 0) {
    return Promise.all(Array.from(config.databases.values(), (database) => configuredTarget(database, environment)))
  }
  if (['PGDATABASE', 'PGHOST', 'PGHOSTADDR', 'PGSERVICE', 'PGUSER'].some((name) => environment[name])) {
    return [unconfiguredTarget(undefined, environment)]
  }
  throw new AppError('usage-invalid', 'no database is named', {
    hint: 'give a URL such as postgres://host/name, list databases in pgrevive.yaml, or set PGDATABASE',
  })
}

/** One database by configured name or connection string; throws `usage-invalid` for any other text. */
export async function findDatabase(reference: string, source: TargetSource): Promise<DatabaseTarget> {
  const configured = source.config?.databases.get(reference)
  if (configured) return configuredTarget(configured, source.environment)
  if (isConninfo(reference)) return unconfiguredTarget(reference, source.environment)
  const near = nearestWord(reference, source.config?.databases.keys() ?? [])
  const place = source.config ? `in ${source.config.file}` : 'and no pgrevive.yaml'
  // It may be a mistyped connection string, with a password in it.
  const shown = reference.includes('@') ? 'of this name' : `"${printable(reference)}"`
  throw new AppError('usage-invalid', `there is no database ${shown} ${place}`, {
    hint: near === undefined ? 'give a URL such as postgres://host/name' : `did you mean "${near}"?`,
  })
}

/** A text that libpq would read as a connection string, and not as a bare name; or the URL of a database in a container. */
export function isConninfo(text: string): boolean {
  return /^postgres(?:ql)?:\/\//.test(text) || isContainerUrl(text) || text.includes('=')
}

function unconfiguredTarget(conninfo: string | undefined, environment: Environment): DatabaseTarget {
  return { name: undefined, conninfo, tunnel: undefined, environment, selection: everything, assertions: [] }
}

async function configuredTarget(database: ConfiguredDatabase, environment: Environment): Promise<DatabaseTarget> {
  const { name, selection, assertions } = database
  return { name, ...(await configuredWay(name, database, environment)), selection, assertions }
}

/** What leads to a database of pgrevive.yaml. `name` is for errors. */
export async function configuredWay(
  name: string,
  { conninfo, tunnel, password }: ReachedDatabase,
  environment: Environment,
): Promise<Pick<DatabaseTarget, 'conninfo' | 'tunnel' | 'environment'>> {
  if (!password) return { conninfo, tunnel, environment }
  return {
    conninfo,
    tunnel,
    environment: { ...environment, PGPASSWORD: await readPassword(name, password, environment) },
  }
}

async function readPassword(database: string, source: SecretSource, environment: Environment): Promise<string> {
  if (source.kind === 'variable') {
    const password = environment[source.name]
    if (password !== undefined && password !== '') return password
    throw new AppError('config-invalid', `the password of "${database}" is not in the environment`, {
      hint: `set the variable ${source.name}`,
    })
  }
  try {
    const content = await readFile(source.path, 'utf8')
    return content.split(/\r?\n/, 1)[0] ?? ''
  } catch (cause) {
    throw new AppError('config-invalid', `the password file "${source.path}" of "${database}" can not be read`, {
      cause,
    })
  }
}
