import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { hasCode } from '../core/app-error.ts'
import type { AbortOptions, ObjectStore } from '../store/object-store.ts'
import type { KitKey } from './objects/object-keys.ts'

const sources: Readonly<
  Record<KitKey, { readonly files: readonly URL[]; readonly comment: (text: string) => string }>
> = {
  'RESTORE.md': {
    files: [
      new URL('./restore-kit/RESTORE.md', import.meta.url),
      new URL('../../docs/format.md', import.meta.url), // both when run from src and from dist
    ],
    comment: (text) => `<!-- ${text} -->`,
  },
  'restore.py': {
    files: [new URL('./restore-kit/restore.py', import.meta.url)],
    comment: (text) => `# ${text}`,
  },
}

/** One of the files that restore a repository without pgrevive, as this version writes it. */
export async function kitFile(key: KitKey, macKey: KeyObject): Promise<Buffer> {
  const { files, comment } = sources[key]
  const texts = await Promise.all(files.map((file) => readFile(file)))
  const text = Buffer.concat(texts)
  const lastLine = comment(`pgrevive-mac: ${macOf(key, text, macKey).toString('hex')}`)
  return Buffer.concat([text, Buffer.from(`${lastLine}\n`)])
}

export async function writeKitFile(
  store: ObjectStore,
  key: KitKey,
  macKey: KeyObject,
  options: AbortOptions = {},
): Promise<void> {
  await store.put(key, [await kitFile(key, macKey)], options)
}

/** Whether it is there as this version writes it. */
export async function hasKitFile(
  store: ObjectStore,
  key: KitKey,
  macKey: KeyObject,
  options: AbortOptions = {},
): Promise<boolean> {
  try {
    return (await store.get(key, options)).equals(await kitFile(key, macKey))
  } catch (error) {
    if (hasCode(error, 'object-missing', 'object-damaged')) return false
    throw error
  }
}

/**
 * Whether somebody with the repository's secret wrote it, be it another version of pgrevive: it is run with the key that
 * opens everything, so nobody else may change it.
 */
export function isKitFileAuthentic(key: KitKey, bytes: Buffer, macKey: KeyObject): boolean {
  const lastLineAt = bytes.lastIndexOf('\n', -2) + 1
  const [, hex] =
    /^(?:# |<!-- )pgrevive-mac: ([0-9a-f]{64})(?: -->)?\n$/.exec(bytes.toString('latin1', lastLineAt)) ?? []
  return (
    hex !== undefined && timingSafeEqual(Buffer.from(hex, 'hex'), macOf(key, bytes.subarray(0, lastLineAt), macKey))
  )
}

function macOf(key: KitKey, text: Buffer, macKey: KeyObject): Buffer {
  return createHmac('sha256', macKey).update(`${key}\n`).update(text).digest()
}
