import { execFile } from 'node:child_process'
import { createHash, randomFillSync } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ulid } from 'ulid'
import { createRepository } from '../../src/repository/create-repository.ts'
import { type RepositoryKey, formatKeyFile, parseKeyFile } from '../../src/repository/keys/key-file.ts'
import { packKey } from '../../src/repository/objects/object-keys.ts'
import { putSealed } from '../../src/repository/objects/sealed-object.ts'
import { openRepository } from '../../src/repository/open-repository.ts'
import { formatIndex } from '../../src/repository/packs/index-object.ts'
import { formatDirectory } from '../../src/repository/packs/pack-directory.ts'
import { Repository } from '../../src/repository/repository.ts'
import { DirectoryStore } from '../../src/store/directory/directory-store.ts'
import type { ObjectInfo } from '../../src/store/object-store.ts'

const packBytes = 16 * 1024 * 1024
const chunkBytes = 64 * 1024
const chunksInPack = packBytes / chunkBytes
/** As prunes merge them. */
const packsInIndex = 2560

export interface IndexStart {
  readonly seconds: number
  readonly peakBytes: number
}

/** Starts a backup, in a process of its own, into a repository that holds so much in chunks of 64 KiB. Its packs are only listed. */
export async function measureLargeIndex(totalBytes: number): Promise<IndexStart> {
  const folder = await mkdtemp(join(tmpdir(), 'pgrevive-index-'))
  try {
    const key = await fill(folder, totalBytes / packBytes)
    const env = { ...process.env, PGREVIVE_BENCH_KEY: await formatKeyFile(key) }
    const args = [import.meta.filename, folder, String(totalBytes / packBytes)]
    const { stdout } = await promisify(execFile)(process.execPath, args, { env })
    return JSON.parse(stdout) as IndexStart // as: written below
  } finally {
    await rm(folder, { recursive: true })
  }
}

const nameOf = (pack: number) => createHash('sha256').update(String(pack)).digest('hex')

async function fill(folder: string, packs: number): Promise<RepositoryKey> {
  const { repository, key } = await createRepository(await DirectoryStore.create(folder))
  const { store, keys } = repository.context
  for (let first = 0; first < packs; first += packsInIndex) {
    const indexed = Array.from({ length: Math.min(packsInIndex, packs - first) }, (_, index) => {
      const entries = Buffer.alloc(chunksInPack * 25)
      randomFillSync(entries)
      for (let entry = 0; entry < entries.length; entry += 25) {
        entries.writeUInt8(0, entry + 16)
        entries.writeUInt32LE(chunkBytes, entry + 17)
        entries.writeUInt32LE(chunkBytes, entry + 21)
      }
      const directory = formatDirectory([Buffer.from(`key of backup ${Math.floor(first / 640)}`)], [entries])
      return { name: nameOf(first + index), kind: 'data', sizeBytes: packBytes, directory } as const
    })
    await putSealed(store, keys.metadata, { kind: 'index', id: ulid(), content: formatIndex(indexed) })
  }
  return key
}

async function* listedPacks(packs: number): AsyncIterable<ObjectInfo> {
  for (let pack = 0; pack < packs; pack++) {
    yield { key: packKey('data', nameOf(pack)), sizeBytes: packBytes, modifiedAt: new Date() }
  }
}

async function start(folder: string, packs: number): Promise<IndexStart> {
  const store = await DirectoryStore.open(folder)
  const key = parseKeyFile(process.env['PGREVIVE_BENCH_KEY'] ?? '')
  const list = store.list.bind(store)
  store.list = (prefix, options) => (prefix === 'packs/' ? listedPacks(packs) : list(prefix, options))
  const opened = await openRepository(store, { keys: [key] })
  const repository = new Repository(opened.context, key)
  const startedMs = performance.now()
  await using session = await repository.startSession()
  const seconds = (performance.now() - startedMs) / 1000
  if (session.stats.chunks > 0) throw new Error('nothing was written')
  return { seconds, peakBytes: process.resourceUsage().maxRSS * 1024 }
}

if (import.meta.main && process.argv.length === 4) {
  const [, , folder = '', packs] = process.argv
  console.log(JSON.stringify(await start(folder, Number(packs))))
} else if (import.meta.main) {
  console.log(await measureLargeIndex(Number(process.argv[2] ?? 2 ** 40)))
}
