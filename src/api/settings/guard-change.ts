import { dirname, join, relative, resolve, sep } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { parse } from 'yaml'
import { isContainerUrl } from '../../containers/container-reference.ts'
import { AppError } from '../../core/app-error.ts'
import type { Environment } from '../../postgres/target/connection-target.ts'
import { parseConninfo } from '../../postgres/target/conninfo.ts'
import { parseStorePlace } from '../../store/store-place.ts'
import { secretsDirectory } from './secret-files.ts'

export interface GuardOptions {
  readonly file: string
  readonly environment: Environment
  readonly reach: (host: string) => Promise<unknown>
  /** Paths of secrets that whoever asks has just entered. */
  readonly fresh: ReadonlySet<string>
}

type Path = readonly string[]
interface Leaf {
  readonly path: Path
  readonly value: unknown
  /** The mapping that it stands in. */
  readonly entry: Readonly<Record<string, unknown>>
}

/** Why something may not be changed over the API. */
interface Refusal {
  readonly path: Path
  readonly why: string
}

/** Parts of the file that name programs, files and doors of the machine, or what PostgreSQL's superuser runs. Names may hold dots. */
const ofTheMachine: readonly { readonly is: (path: Path) => boolean; readonly what: string }[] = [
  { is: (path) => path.includes('hooks'), what: 'hooks run programs' },
  { is: (path) => path.includes('assertions'), what: 'assertions run as the superuser of a scratch server' },
  { is: ([first]) => first === 'pg_dump', what: 'it names a program' },
  { is: ([first]) => first === 'log', what: 'it names a directory of the machine' },
  { is: (path) => path.at(-1) === 'key_file', what: 'it names a key on the machine' },
  {
    is: ([first]) => first === 'service',
    what: 'it says where the service listens, whom it lets in, and what it may reach',
  },
  { is: (path) => path[0] === 'refreshes' && path[2] === 'sql', what: 'it names scripts on the machine' },
]
/** Of connection strings; also where libpq looks for them under other names. */
const fileKeywords = ['passfile', 'service', 'servicefile', 'sslkey', 'sslcert', 'sslrootcert', 'sslcrl'] as const
/** Where a secret beside them is sent to. */
const destinations = ['url', 'tunnel', 'host', 'port', 'tls', 'user', 'ca_file']

/**
 * Throws `change-refused` for a change of pgrevive.yaml that reaches for the machine: whoever administers over the API
 * need not be whoever may run programs, read files or see variables there. What stands there already may stay.
 */
export async function guardChange(before: string, after: string, options: GuardOptions): Promise<void> {
  const [old, young] = [parseYaml(before), parseYaml(after)]
  const added = newLeaves(old, young)
  const refusals = [...changedParts(old, young), ...added.flatMap((leaf) => refusalsOf(leaf, old, options))]
  const [first] = refusals
  if (first) {
    const more = refusals.length === 1 ? '' : `, and ${refusals.length - 1} more of the kind`
    throw new AppError('change-refused', `"${first.path.join('.')}" is not changed over the API: ${first.why}${more}`, {
      hint: `edit ${options.file} for that; the service takes it at once`,
    })
  }
  await Promise.all(added.flatMap(({ path, value }) => storeHosts(path, value, options)).map(options.reach))
}

function parseYaml(text: string): unknown {
  return parse(text) ?? {}
}

function changedParts(old: unknown, young: unknown): Refusal[] {
  const places = new Set([...leavesOf(old), ...leavesOf(young)].map(({ path }) => path.join('\0')))
  return [...places].flatMap((place) => {
    const path = place.split('\0')
    const part = ofTheMachine.find(({ is }) => is(path))
    if (!part || isDeepStrictEqual(valueAt(old, path), valueAt(young, path))) return []
    return [{ path, why: part.what }]
  })
}

/** What stands nowhere in the old text at the same place. */
function newLeaves(old: unknown, young: unknown): Leaf[] {
  return leavesOf(young).filter(({ path, value }) => !isDeepStrictEqual(valueAt(old, path), value))
}

function refusalsOf(leaf: Leaf, old: unknown, options: GuardOptions): Refusal[] {
  const { path, value } = leaf
  const key = path.at(-1) ?? ''
  const why = (reason: string): Refusal[] => [{ path, why: reason }]
  if (typeof value === 'string' && /\$\{\w+\}/.test(value)) {
    return why('it takes a variable of the environment, which may hold a secret')
  }
  if (key.endsWith('_env')) return why('it names a variable of the environment; enter the secret in its place')
  if (key.endsWith('_file')) return refusedFile(leaf, old, options)
  if (typeof value !== 'string') return []
  if (isPlaceKey(path)) return refusedPlace(path, value, options)
  const isDatabase = key === 'url' && ['databases', 'servers', 'refreshes'].includes(path[0] ?? '')
  if (isDatabase) return [...refusedConninfo(path, value), ...redirected(leaf, old, options)]
  if (key === 'tunnel')
    return [
      ...(value.includes('?') ? why('it has options that name files or keys') : []),
      ...redirected(leaf, old, options),
    ]
  return destinations.includes(key) && path[0] === 'alerts' ? redirected(leaf, old, options) : []
}

/** Only what was entered as a secret, and for this place: else a secret could be sent to somebody else. */
function refusedFile({ path, value }: Leaf, old: unknown, { file, fresh }: GuardOptions): Refusal[] {
  const directory = secretsDirectory(file)
  const target = resolve(dirname(file), String(value))
  if (dirname(target) !== directory)
    return [{ path, why: `it names a file outside ${relative(dirname(file), directory)}` }]
  const isUsed = !fresh.has(target) && leavesOf(old).some((one) => isSecretAt(one, target, file))
  return isUsed ? [{ path, why: 'it names a secret that is used elsewhere; enter it anew' }] : []
}

function isSecretAt({ path, value }: Leaf, target: string, file: string): boolean {
  return path.at(-1)?.endsWith('_file') === true && resolve(dirname(file), String(value)) === target
}

/** A place of which the secret stays must not become another one. */
function redirected({ path, entry }: Leaf, old: unknown, { file, fresh }: GuardOptions): Refusal[] {
  const before = valueAt(old, path.slice(0, -1))
  if (!isMapping(before)) return []
  const isFresh = (key: string) => key.endsWith('_file') && fresh.has(resolve(dirname(file), String(entry[key])))
  const kept = Object.keys(entry).some(
    (key) => /_(file|env)$/.test(key) && isDeepStrictEqual(entry[key], before[key]) && !isFresh(key),
  )
  if (!kept) return []
  return [{ path, why: 'the secret beside it would be sent to another place; enter that anew along with it' }]
}

function isPlaceKey([first, second, third]: Path): boolean {
  if (first === 'repository') return second === undefined || second === 'place'
  return first === 'repositories' && (third === undefined || third === 'place')
}

function refusedPlace(path: Path, value: string, { file, environment }: GuardOptions): Refusal[] {
  const directory = dirname(file)
  const place = parseStorePlace(value.startsWith('~') ? join(directory, '..', value) : value, directory)
  if (place.kind === 'directory') {
    const inside = relative(directory, place.path)
    const isInside = inside !== '' && inside !== '..' && !inside.startsWith(`..${sep}`)
    return isInside ? [] : [{ path, why: `it names a directory outside ${directory}` }]
  }
  if (place.kind === 'sftp' && (place.identity ?? place.knownHosts ?? place.hostKey) !== undefined) {
    return [{ path, why: 'it says which keys to trust or to use' }]
  }
  const isSigned = environment['AZURE_STORAGE_SAS_TOKEN'] === undefined
  if (place.kind === 'azure' && place.endpoint !== undefined && !isSigned) {
    return [{ path, why: 'the SAS token of the environment would be sent to another server' }]
  }
  return []
}

/** The hosts that a new place of a repository leads to. */
function storeHosts(path: Path, value: unknown, { file }: GuardOptions): string[] {
  if (!isPlaceKey(path) || typeof value !== 'string') return []
  const place = parseStorePlace(value, dirname(file))
  if (place.kind === 'sftp') return [place.host]
  return 'endpoint' in place && place.endpoint !== undefined ? [new URL(place.endpoint).hostname] : []
}

function refusedConninfo(path: Path, conninfo: string): Refusal[] {
  const why = conninfoProblem(conninfo)
  return why === undefined ? [] : [{ path, why }]
}

/** Why a connection string may not come over the API, if so; throws `connection-invalid` for what is none. */
export function conninfoProblem(conninfo: string): string | undefined {
  if (isContainerUrl(conninfo)) return 'a container is reached through its engine, which can do anything on the machine'
  const settings = parseConninfo(conninfo)
  const named = fileKeywords.find((keyword) => settings.get(keyword))
  if (named !== undefined) return `"${named}" names a file of the machine`
  const hosts = [settings.get('host'), settings.get('hostaddr')].join(',')
  return hosts.split(',').some((host) => /^[/@]/.test(host.trim())) ? 'its host is a socket of the machine' : undefined
}

function leavesOf(node: unknown, path: Path = [], entry: Leaf['entry'] = {}): Leaf[] {
  if (isMapping(node)) return Object.entries(node).flatMap(([key, value]) => leavesOf(value, [...path, key], node))
  if (Array.isArray(node)) return node.flatMap((value, index) => leavesOf(value, [...path, String(index)], entry))
  return [{ path, value: node, entry }]
}

function valueAt(node: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, key) => {
    if (Array.isArray(at)) return at[Number(key)]
    return isMapping(at) && Object.hasOwn(at, key) ? at[key] : undefined
  }, node)
}

function isMapping(node: unknown): node is Record<string, unknown> {
  return typeof node === 'object' && node !== null && !Array.isArray(node)
}
