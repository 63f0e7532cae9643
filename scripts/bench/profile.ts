import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string }
  readonly children?: readonly number[]
}

/** What V8 writes with --cpu-prof. */
interface Profile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** The first that fits the function that was running, or one that called it. */
const kinds: readonly (readonly [string, (frame: ProfileNode['callFrame']) => boolean])[] = [
  ['waiting', ({ functionName }) => functionName === '(idle)'],
  ['collecting garbage', ({ functionName }) => functionName === '(garbage collector)'],
  ['opening each chunk again to be sure', ({ functionName }) => functionName === '#verifyStored'],
  ['compressing', ({ url }) => url === 'node:zlib'],
  ['encrypting', ({ url }) => url.endsWith('/aead.ts')],
  ['hashing packs', ({ url }) => url.endsWith('/pack-builder.ts')],
  ['naming chunks (HMAC)', ({ url }) => url.endsWith('/chunk-id.ts')],
  ['cutting chunks', ({ url }) => url.endsWith('/chunker.ts')],
  ['hashing rows', ({ url }) => url.startsWith('wasm:') || url.endsWith('/row-walker.ts')],
  ['writing', ({ url, functionName }) => url.endsWith('/directory-store.ts') || functionName === 'writeBuffer'],
  [
    'reading the socket',
    ({ url }) => /^node:(net|internal\/stream_base_commons)$|\/(wire-channel|read-memory|copy-out)\.ts$/.test(url),
  ],
  ['starting', ({ url }) => /^node:internal\/(modules|bootstrap|process)\//.test(url)],
]

/** Seconds of the main thread by kind of work, most first, from the longest profile in a folder. */
export async function readProfile(folder: string): Promise<readonly (readonly [string, number])[]> {
  const profiles = await Promise.all(
    (await readdir(folder)).map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8')) as Profile), // as: V8 wrote it
  )
  const profile = profiles.toSorted((a, b) => b.samples.length - a.samples.length)[0]
  if (!profile) throw new Error(`no profile in ${folder}`)
  const byId = new Map(profile.nodes.map((node) => [node.id, node]))
  const parents = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])))
  const kindOf = (id: number | undefined): string => {
    const node = id === undefined ? undefined : byId.get(id)
    if (!node) return 'all else'
    return kinds.find(([, fits]) => fits(node.callFrame))?.[0] ?? kindOf(parents.get(node.id))
  }
  const verified = (id: number | undefined): boolean => {
    const node = id === undefined ? undefined : byId.get(id)
    return node !== undefined && (node.callFrame.functionName === '#verifyStored' || verified(parents.get(node.id)))
  }
  const seconds = new Map<string, number>()
  for (const [position, sample] of profile.samples.entries()) {
    const kind = verified(sample) ? 'opening each chunk again to be sure' : kindOf(sample)
    seconds.set(kind, (seconds.get(kind) ?? 0) + (profile.timeDeltas[position] ?? 0) / 1e6)
  }
  return [...seconds].toSorted(([, a], [, b]) => b - a)
}
