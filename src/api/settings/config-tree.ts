import { parseDocument } from 'yaml'
import { AppError } from '../../core/app-error.ts'

/** Where something stands in pgrevive.yaml; names may hold dots. */
export type Path = readonly string[]

export interface Leaf {
  readonly path: Path
  /** No mapping and no list but an empty one, which says something, too: `hooks: {}`. */
  readonly value: unknown
}

/**
 * pgrevive.yaml as plain values. Throws `config-invalid` for what is no YAML. Whether keys are there twice is for
 * parseConfig to say.
 */
export function parseTree(text: string): unknown {
  const document = parseDocument(text, { uniqueKeys: false })
  const [error] = document.errors
  if (!error) return document.toJS() ?? {}
  throw new AppError('config-invalid', 'pgrevive.yaml can not be read as YAML, and is not changed', {
    cause: error,
    hint: 'mend it first, on the machine; GET /api/settings shows its text',
  })
}

export function leavesOf(node: unknown, path: Path = []): Leaf[] {
  const leaves: Leaf[] = []
  const walk = (value: unknown, at: Path) => {
    const inside = isMapping(value) || Array.isArray(value) ? Object.entries(value) : []
    if (inside.length === 0) leaves.push({ path: at, value })
    for (const [key, one] of inside) walk(one, [...at, key])
  }
  walk(node, path)
  return leaves
}

export function valueAt(node: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, key) => {
    if (Array.isArray(at)) return at[Number(key)]
    return isMapping(at) && Object.hasOwn(at, key) ? at[key] : undefined
  }, node)
}

export function isMapping(node: unknown): node is Record<string, unknown> {
  // YAML's !!omap and !!set become a Map and a Set, and those are values as a whole.
  return typeof node === 'object' && node !== null && Object.getPrototypeOf(node) === Object.prototype
}
