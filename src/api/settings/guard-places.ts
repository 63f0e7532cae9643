import { dirname, join, relative, resolve, sep } from 'node:path'
import { isContainerUrl } from '../../containers/container-reference.ts'
import { parseConninfo } from '../../postgres/target/conninfo.ts'
import type { Environment } from '../../postgres/target/connection-target.ts'
import { parseStorePlace } from '../../store/store-place.ts'
import type { Path } from './config-tree.ts'
import { secretsDirectory } from './secret-files.ts'

export interface PlaceSurroundings {
  readonly file: string
  readonly environment: Environment
  /** Of the service. */
  readonly stateDirectory: string
  /** Beside that of the file, where repositories may be. */
  readonly repositoryDirectories: readonly string[]
}

/** Of connection strings; also where libpq looks for them under other names. */
const fileKeywords = ['passfile', 'service', 'servicefile', 'sslkey', 'sslcert', 'sslrootcert', 'sslcrl'] as const

/** Whether the place of a repository stands there. */
export function isPlaceKey([first, second, third]: Path): boolean {
  if (first === 'repository') return second === undefined || second === 'place'
  return first === 'repositories' && (third === undefined || third === 'place')
}

/** Why a repository may not be there, if so. */
export function placeProblem(text: string, surroundings: PlaceSurroundings): string | undefined {
  const { file, environment } = surroundings
  const directory = dirname(file)
  const place = parseStorePlace(text.startsWith('~') ? join(directory, '..', text) : text, directory)
  if (place.kind === 'directory') return directoryProblem(place.path, surroundings)
  if (place.kind === 'sftp' && (place.identity ?? place.knownHosts ?? place.hostKey) !== undefined) {
    return 'it says which keys to trust or to use'
  }
  const isSigned = environment['AZURE_STORAGE_SAS_TOKEN'] === undefined
  if (place.kind === 'azure' && place.endpoint !== undefined && !isSigned) {
    return 'the SAS token of the environment would be sent to another server'
  }
  return undefined
}

function directoryProblem(
  path: string,
  { file, stateDirectory, repositoryDirectories }: PlaceSurroundings,
): string | undefined {
  const directory = dirname(file)
  const isInside = path !== directory && isWithin(path, directory)
  if (!isInside && !repositoryDirectories.some((one) => isWithin(path, one))) {
    return `it names a directory outside ${[directory, ...repositoryDirectories].join(' and ')}`
  }
  const taken = [secretsDirectory(file), resolve(stateDirectory)]
  const own = taken.find((one) => isWithin(path, one) || isWithin(one, path))
  return own === undefined ? undefined : `${own} holds secrets or the state of the service`
}

function isWithin(path: string, directory: string): boolean {
  const inside = relative(directory, path)
  return inside !== '..' && !inside.startsWith(`..${sep}`)
}

/** The hosts that a place of a repository leads to. */
export function storeHosts(text: string, { file }: PlaceSurroundings): string[] {
  const place = parseStorePlace(text, dirname(file))
  if (place.kind === 'sftp') return [place.host]
  return 'endpoint' in place && place.endpoint !== undefined ? [new URL(place.endpoint).hostname] : []
}

/** Why a connection string may not come over the API, if so; throws `connection-invalid` for what is none. */
export function conninfoProblem(conninfo: string): string | undefined {
  if (isContainerUrl(conninfo)) return 'a container is reached through its engine, which can do anything on the machine'
  const settings = parseConninfo(conninfo)
  const named = fileKeywords.find((keyword) => settings.get(keyword))
  if (named !== undefined) return `"${named}" names a file of the machine`
  const list = (keyword: 'host' | 'hostaddr') => (settings.get(keyword) ?? '').split(',').map((host) => host.trim())
  const [names, addresses] = [list('host'), list('hostaddr')]
  if ([...names, ...addresses].some((host) => /^[/@]/.test(host))) return 'its host is a socket of the machine'
  const count = Math.max(names.length, addresses.length)
  const isNamed = Array.from({ length: count }, (_, index) => (names[index] || addresses[index] || '') !== '')
  return isNamed.every(Boolean) ? undefined : 'it names no host, which means a socket of the machine'
}
