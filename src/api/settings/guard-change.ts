import { isDeepStrictEqual } from 'node:util'
import { AppError } from '../../core/app-error.ts'
import { type Leaf, type Path, leavesOf, parseTree, valueAt } from './config-tree.ts'
import { type PlaceSurroundings, conninfoProblem, isPlaceKey, placeProblem, storeHosts } from './guard-places.ts'
import {
  type Refusal,
  type SecretsEntered,
  fileProblem,
  leakedPasswords,
  namesVariable,
  redirectedSecrets,
} from './guard-secrets.ts'

export interface GuardOptions extends PlaceSurroundings, SecretsEntered {
  readonly reach: (host: string) => Promise<unknown>
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

/**
 * Throws `change-refused` for a change of pgrevive.yaml that reaches for the machine: whoever administers over the API
 * need not be whoever may run programs, read files or see variables there. What stands there already may stay.
 *
 * Of secrets there are two rules. A secret is named anew only by whoever has entered it within the last minutes. And
 * whatever sends to another place than before, be it that this was changed or removed, needs each of its secrets anew.
 */
export async function guardChange(before: string, after: string, options: GuardOptions): Promise<void> {
  const [old, young] = [parseTree(before), parseTree(after)]
  // A single repository gets a name when a second one comes.
  const places = new Set(leavesOf(old).flatMap(({ path, value }) => (isPlaceKey(path) ? [value] : [])))
  const added = leavesOf(young).filter(
    ({ path, value }) => !isDeepStrictEqual(valueAt(old, path), value) && !(isPlaceKey(path) && places.has(value)),
  )
  refuse(
    [
      ...changedParts(old, young),
      ...added.flatMap((leaf) => {
        const why = problemOf(leaf, options)
        return why === undefined ? [] : [{ path: leaf.path, why }]
      }),
      ...redirectedSecrets(old, young, options),
    ],
    options,
  )
  refuse(await leakedPasswords(old, young, options.environment), options)
  const newPlaces = added.flatMap(({ path, value }) => (isPlaceKey(path) && typeof value === 'string' ? [value] : []))
  await Promise.all(newPlaces.flatMap((place) => storeHosts(place, options)).map(options.reach))
}

/** Throws `change-refused` if there is any. */
export function refuse([first, ...others]: readonly Refusal[], { file }: { readonly file: string }): void {
  if (!first) return
  const more = others.length === 0 ? '' : `, and ${others.length} more of the kind`
  throw new AppError('change-refused', `"${first.path.join('.')}" is not changed over the API: ${first.why}${more}`, {
    hint: `edit ${file} for that; the service takes it at once`,
  })
}

function changedParts(old: unknown, young: unknown): Refusal[] {
  const refusals = [...leavesOf(old), ...leavesOf(young)].flatMap(({ path }): [string, Refusal][] => {
    const part = ofTheMachine.find(({ is }) => is(path))
    if (!part || isDeepStrictEqual(valueAt(old, path), valueAt(young, path))) return []
    return [[JSON.stringify(path), { path, why: part.what }]]
  })
  return [...new Map(refusals).values()]
}

/** Why something may not come to stand in the file. */
function problemOf({ path, value }: Leaf, options: GuardOptions): string | undefined {
  const key = path.at(-1) ?? ''
  if (namesVariable(value)) return 'it takes a variable of the environment, which may hold a secret'
  if (key.endsWith('_env')) return 'it names a variable of the environment; enter the secret in its place'
  if (key.endsWith('_file')) return fileProblem(value, options)
  if (typeof value !== 'string') return undefined
  if (isPlaceKey(path)) return placeProblem(value, options)
  if (key === 'url' && ['databases', 'servers', 'refreshes'].includes(path[0] ?? '')) return conninfoProblem(value)
  return key === 'tunnel' && value.includes('?') ? 'it has options that name files or keys' : undefined
}
