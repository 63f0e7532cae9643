import assert from 'node:assert/strict'
import { createDecipheriv, createHash, createHmac, hkdfSync } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { armor, Decrypter } from 'age-encryption'
import { z } from 'zod'
import { backUp, TestRepository } from './test-repository.ts'

// A reader written from docs/format.md alone: it shares no code with the one under test.

function unseal(key: Uint8Array, aad: string | Buffer, sealed: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, 12), { authTagLength: 16 })
  decipher.setAAD(Buffer.from(aad)).setAuthTag(sealed.subarray(-16))
  return Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()])
}

async function ageOpen(identity: string, file: Uint8Array): Promise<Buffer> {
  const decrypter = new Decrypter()
  decrypter.addIdentity(identity)
  return Buffer.from(await decrypter.decrypt(file))
}

/** All chunks of a pack by the hex of their id. */
async function readPack(pack: Buffer, keys: { metadata: Buffer; id: Buffer; identity: string }) {
  assert.equal(pack.toString('latin1', pack.length - 8), 'PGPK0001')
  const end = pack.length - 12
  const directory = unseal(keys.metadata, 'd1', pack.subarray(end - pack.readUInt32LE(end), end))
  const dataKeys: Buffer[] = []
  let at = 1
  for (let number = 0; number < directory.readUInt8(0); number++) {
    const length = directory.readUInt16LE(at)
    dataKeys.push(await ageOpen(keys.identity, directory.subarray(at + 2, at + 2 + length)))
    at += 2 + length
  }
  const chunks = new Map<string, Buffer>()
  let offset = 0
  for (let left = directory.readUInt32LE(at), entry = at + 4; left > 0; left--, entry += 25) {
    const id = directory.subarray(entry, entry + 16)
    const key = directory[entry + 16] === 255 ? keys.metadata : dataKeys[directory.readUInt8(entry + 16)]
    assert.ok(key)
    const storedBytes = directory.readUInt32LE(entry + 17)
    const blob = unseal(key, Buffer.concat([Buffer.from('b1'), id]), pack.subarray(offset, offset + storedBytes))
    const chunk = blob[0] === 1 ? zstdDecompressSync(blob.subarray(1)) : blob.subarray(1)
    assert.equal(chunk.length, directory.readUInt32LE(entry + 21))
    assert.ok(createHmac('sha256', keys.id).update(chunk).digest().subarray(0, 16).equals(id))
    chunks.set(id.toString('hex'), chunk)
    offset += storedBytes
  }
  return chunks
}

describe('format', () => {
  it('is what docs/format.md says', async () => {
    await using test = await TestRepository.create()
    const content = Buffer.from(Array.from({ length: 30_000 }, (_, row) => `${row}\tvalue ${row * 7919}\n`).join(''))
    const { id } = await backUp(test.repository, content)
    const identity = test.key.identities[0] ?? ''

    const config = z
      .looseObject({ secret: z.string(), mac: z.string() })
      .parse(JSON.parse(await readFile(test.path('config'), 'utf8')))
    const secret = await ageOpen(identity, armor.decode(config.secret))
    const derive = (label: string) => Buffer.from(hkdfSync('sha256', secret, '', label, 32))
    const keys = { metadata: derive('pgrevive/1/metadata'), id: derive('pgrevive/1/chunk-id'), identity }
    const { mac, ...covered } = config
    const sortMembers = (_: string, value: unknown): unknown =>
      value instanceof Object && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        : value
    const macKey = derive('pgrevive/1/config')
    assert.equal(createHmac('sha256', macKey).update(JSON.stringify(covered, sortMembers)).digest('hex'), mac)

    const chunks = new Map<string, Buffer>()
    for (const key of [...(await test.objects('packs/')), ...(await test.objects('meta/'))]) {
      const pack = await readFile(test.path(key))
      assert.equal(createHash('sha256').update(pack).digest('hex'), key.split('/')[2])
      for (const [chunkId, chunk] of await readPack(pack, keys)) chunks.set(chunkId, chunk)
    }
    const sealed = unseal(keys.metadata, `record1/${id}`, await readFile(test.path(`records/${id}`)))
    const record = z
      .object({ checkedAt: z.string(), body: z.object({ stream: z.object({ lists: z.array(z.string()) }) }) })
      .parse(JSON.parse(zstdDecompressSync(sealed).toString()))
    const ids = record.body.stream.lists.flatMap((list) => chunks.get(list)?.toString('hex').match(/.{32}/g) ?? [])
    assert.ok(Buffer.concat(ids.map((chunkId) => chunks.get(chunkId) ?? Buffer.alloc(0))).equals(content))
  })
})
