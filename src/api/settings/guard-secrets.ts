import { access } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { expandEnvironment } from '../../config/config-url.ts'
import { isContainerUrl } from '../../containers/container-reference.ts'
import { type Environment, resolveConnection } from '../../postgres/target/connection-target.ts'
import { type Leaf, type Path, isMapping, leavesOf, valueAt } from './config-tree.ts'
import { secretsDirectory } from './secret-files.ts'

export interface SecretsEntered {
  readonly file: string
  /** Paths of secrets that whoever asks has just entered. */
  readonly fresh: ReadonlySet<string>
}

/** Why something may not be changed over the API. */
export interface Refusal {
  readonly path: Path
  readonly why: string
}

/** What has names, and secrets that are sent somewhere. */
const namedParts: readonly Path[] = [
  ['databases'],
  ['servers'],
  ['refreshes'],
  ['alerts', 'channels'],
  ['alerts', 'pings'],
]
/** Keys that say where an entry sends to; what is left out has a default, which is a place, too. */
const destinations = ['kind', 'url', 'url_file', 'url_env', 'tunnel', 'host', 'port', 'tls', 'user', 'ca_file']

/** The first rule: a file is named anew only by whoever has just entered it as a secret. */
export function fileProblem(value: unknown, { file, fresh }: SecretsEntered): string | undefined {
  const directory = secretsDirectory(file)
  const target = resolve(dirname(file), String(value))
  if (dirname(target) !== directory) return `it names a file outside ${relative(dirname(file), directory)}`
  return fresh.has(target) ? undefined : 'it names a secret that you have not just entered; enter it anew'
}

/** The second rule: what sends to another place than before keeps no secret that was not entered anew. */
export function redirectedSecrets(old: unknown, young: unknown, entered: SecretsEntered): Refusal[] {
  return entriesOf(young).flatMap(({ path, value }) => {
    const before = valueAt(old, path)
    if (isDeepStrictEqual(destinationOf(before), destinationOf(value))) return []
    const kept = staleSecrets(value, entered).find((leaf) => isDeepStrictEqual(valueAt(before, leaf.path), leaf.value))
    return kept ? [redirected(path, kept)] : []
  })
}

/** The same of a secret that is a URL, `target`, before it becomes another one. */
export function redirectedBySecret(tree: unknown, target: string, entered: SecretsEntered): Refusal[] {
  const isTarget = (leaf: Leaf) => secretAt(leaf, entered.file) === target
  return entriesOf(tree).flatMap(({ path, value }) => {
    const isUrl = leavesOf(value).some((leaf) => leaf.path.at(-1) === 'url_file' && isTarget(leaf))
    const kept = isUrl ? staleSecrets(value, entered).find((leaf) => !isTarget(leaf)) : undefined
    return kept ? [redirected(path, kept)] : []
  })
}

/** Databases over the API are given no password that the service itself has, of PGPASSWORD, ~/.pgpass or a service file. */
export async function leakedPasswords(old: unknown, young: unknown, environment: Environment): Promise<Refusal[]> {
  if (!(await hasPasswords(environment))) return []
  const refusals: Refusal[] = []
  for (const { path, value } of entriesOf(young)) {
    const reached = path[0] === 'refreshes' ? valueAt(value, ['to']) : value
    const url = valueAt(reached, ['url'])
    if (path[0] === 'alerts' || typeof url !== 'string' || isContainerUrl(url)) continue
    const before = valueAt(old, path)
    const isSame = [destinationOf, secretsOf].every((of) => isDeepStrictEqual(of(before), of(value)))
    if (isSame || !(await isGivenPassword(url, hasPassword(reached), environment))) continue
    refusals.push({ path, why: "the service's own password would be sent there; enter one with it" })
  }
  return refusals
}

/** Absolute paths of the secrets that are named. */
export function namedSecrets(tree: unknown, file: string): Set<string> {
  return new Set(leavesOf(tree).flatMap((leaf) => secretAt(leaf, file) ?? []))
}

async function hasPasswords(environment: Environment): Promise<boolean> {
  if (environment['PGPASSWORD'] || environment['PGSERVICE'] || environment['PGPASSFILE']) return true
  return access(join(environment['HOME'] || homedir(), '.pgpass')).then(
    () => true,
    () => false,
  )
}

async function isGivenPassword(url: string, hasOwn: boolean, environment: Environment): Promise<boolean> {
  const own = 'its own'
  const { hosts, password } = await resolveConnection(expandEnvironment(url, environment).expanded, {
    environment: hasOwn ? { ...environment, PGPASSWORD: own } : environment,
  })
  return hosts.some((host) => (password(host) ?? own) !== own)
}

function hasPassword(entry: unknown): boolean {
  return ['password_file', 'password_env'].some((key) => valueAt(entry, [key]) !== undefined)
}

function redirected(path: Path, { path: inside }: Leaf): Refusal {
  return { path, why: `its ${inside.join('.')} would be sent to another place; enter that anew along with it` }
}

function entriesOf(tree: unknown): Leaf[] {
  return namedParts.flatMap((part) => {
    const all = valueAt(tree, part)
    return isMapping(all) ? Object.entries(all).map(([name, value]) => ({ path: [...part, name], value })) : []
  })
}

function destinationOf(entry: unknown): Record<string, unknown> {
  const leaves = leavesOf(entry).filter(
    ({ path }) => path[0] !== 'template' && destinations.includes(path.at(-1) ?? ''),
  )
  return Object.fromEntries(leaves.map(({ path, value }) => [JSON.stringify(path), value]))
}

function staleSecrets(entry: unknown, { file, fresh }: SecretsEntered): Leaf[] {
  return secretsOf(entry).filter((leaf) => !fresh.has(secretAt(leaf, file) ?? ''))
}

function secretsOf(entry: unknown): Leaf[] {
  return leavesOf(entry).filter(({ path, value }) => {
    const key = path.at(-1) ?? ''
    return (/_(file|env)$/.test(key) && key !== 'ca_file') || namesVariable(value)
  })
}

function secretAt({ path, value }: Leaf, file: string): string | undefined {
  if (!path.at(-1)?.endsWith('_file')) return undefined
  const target = resolve(dirname(file), String(value))
  return dirname(target) === secretsDirectory(file) ? target : undefined
}

/** Whether a value is, or holds, what the environment says: that may be a secret. */
export function namesVariable(value: unknown): boolean {
  return typeof value === 'string' && /\$\{\w+\}/.test(value)
}
