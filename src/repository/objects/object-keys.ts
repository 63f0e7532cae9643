/** Data packs hold what only a reading key opens; metadata packs hold lists and manifests. */
export type PackKind = 'data' | 'meta'

const packFolders = { data: 'packs', meta: 'meta' } as const satisfies Record<PackKind, string>

export const configKey = 'config'
export const configCopyKey = 'config.bak'

/** Files in clear text that restore a repository without pgrevive. */
export const kitKeys = ['RESTORE.md', 'restore.py'] as const
export type KitKey = (typeof kitKeys)[number]

/** Objects that are named by a ULID and sealed under the metadata key. */
export type SealedKind = 'index' | 'record' | 'proof' | 'note' | 'gc' | 'access' | 'key'

const sealedFolders = {
  index: 'index',
  record: 'records',
  proof: 'proofs',
  note: 'notes',
  gc: 'gc',
  access: 'access',
  key: 'keys',
} as const satisfies Record<SealedKind, string>

export function packPrefix(kind: PackKind): string {
  return `${packFolders[kind]}/`
}

export function packKey(kind: PackKind, name: string): string {
  return `${packFolders[kind]}/${name.slice(0, 2)}/${name}`
}

/** The name of the pack that lies under `key`, or undefined if this is not where a pack lies. */
export function packNameOf(kind: PackKind, key: string): string | undefined {
  const name = key.slice(-64)
  return /^[0-9a-f]{64}$/.test(name) && packKey(kind, name) === key ? name : undefined
}

export function sealedPrefix(kind: SealedKind): string {
  return `${sealedFolders[kind]}/`
}

export function sealedKey(kind: SealedKind, id: string): string {
  return `${sealedFolders[kind]}/${id}`
}

/** The ULID of the object that lies under `key`, or undefined if no such object lies there. */
export function sealedIdOf(kind: SealedKind, key: string): string | undefined {
  const id = key.slice(-26)
  return /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(id) && sealedKey(kind, id) === key ? id : undefined
}
