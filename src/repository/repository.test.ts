import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { createRepository } from './create-repository.ts'
import { RepositoryKey } from './keys/key-file.ts'
import { openRepository } from './open-repository.ts'
import type { Repository } from './repository.ts'
import { backUp, readStream, TestRepository, writeStream } from './test-repository.ts'

/** Rows of a table: compressible, and no two alike. */
function rows(count: number, first = 0): Buffer {
  const lines = Array.from({ length: count }, (_, row) => {
    const key = createHash('md5')
      .update(String(first + row))
      .digest('hex')
    return `${first + row}\t${key}\ta marker that must not be seen\n`
  })
  return Buffer.from(lines.join(''))
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

function pieces(data: Buffer, count: number): Buffer[] {
  const size = Math.ceil(data.length / count)
  return Array.from({ length: count }, (_, part) => data.subarray(part * size, (part + 1) * size))
}

async function checkSums(test: TestRepository): Promise<void> {
  for (const key of [...(await test.objects('packs/')), ...(await test.objects('meta/'))]) {
    assert.equal(
      createHash('sha256')
        .update(await readFile(test.path(key)))
        .digest('hex'),
      key.slice(-64),
    )
  }
}

describe('repository', () => {
  it('gives streams back byte for byte, however they were written', async () => {
    await using test = await TestRepository.create()
    await using session = await test.repository.startSession()
    const cases = [
      { bytes: Buffer.alloc(0), pieceBytes: 1 },
      { bytes: Buffer.from('x'), pieceBytes: 1 },
      { bytes: randomBytes(50_000), pieceBytes: 1 },
      { bytes: rows(500), pieceBytes: 1 },
      { bytes: randomBytes(300_000), pieceBytes: 977 },
      { bytes: Buffer.alloc(3_000_000), pieceBytes: 300_001 },
      { bytes: rows(20_000), pieceBytes: 65_536 },
      { bytes: rows(20_000, 1_000_000), pieceBytes: 10_000_000 },
    ]
    const streams = await Promise.all(cases.map(({ bytes, pieceBytes }) => writeStream(session, bytes, { pieceBytes })))
    const record = await session.commit({ streams })
    assert.equal(record.state, 'committed')
    assert.equal(
      session.stats.rawBytes,
      cases.reduce((sum, { bytes }) => sum + bytes.length, 0),
    )
    for (const [index, stream] of streams.entries()) {
      assert.equal(stream.bytes, cases[index]?.bytes.length)
      assert.deepEqual(await readStream(test.repository, stream), cases[index]?.bytes)
    }
    await checkSums(test)
  })

  it('lends pieces that hold their bytes until the next is asked for, a repeated chunk too', async () => {
    await using test = await TestRepository.create({ averageChunkBytes: 64 * 1024 })
    const bytes = Buffer.concat([rows(20_000), Buffer.alloc(3_000_000), randomBytes(1_000_000)])
    const { stream } = await backUp(test.repository, bytes)
    const reader = await test.repository.openReader()
    const copies: Buffer[] = []
    let last: Uint8Array | undefined
    for await (const piece of reader.read(stream, { lent: true })) {
      copies.push(Buffer.from(piece))
      last = piece
    }
    assert.deepEqual(Buffer.concat(copies), bytes)
    assert.ok(copies.length > 20)
    assert.equal(last?.length, copies.at(-1)?.length)
  })

  it('fills several packs in the background and reads them back', async () => {
    await using test = await TestRepository.create({ averageChunkBytes: 256 * 1024 })
    const bytes = randomBytes(70_000_000)
    await using session = await test.repository.startSession({ verifyBlobs: false })
    const streams = await Promise.all(
      pieces(bytes, 3).map((part) => writeStream(session, part, { pieceBytes: 1_000_000 })),
    )
    await session.commit({})
    const read = await Promise.all(streams.map((stream) => readStream(test.repository, stream)))
    assert.ok(Buffer.concat(read).equals(bytes))
    const packs = await test.objects('packs/')
    assert.equal(packs.length, 5)
    assert.equal((await test.objects('meta/')).length, 1)
    await checkSums(test)
  })

  it('keeps large streams in several lists', async () => {
    await using test = await TestRepository.create()
    const bytes = randomBytes(30_000_000)
    const { stream } = await backUp(test.repository, bytes)
    assert.ok(stream.lists.length > 1)
    assert.ok((await readStream(test.repository, stream)).equals(bytes))
  })

  it('stores again only what is new', async () => {
    await using test = await TestRepository.create()
    const before = rows(20_000)
    await backUp(test.repository, before)
    const same = await backUp(test.repository, before)
    assert.equal(same.stats.newChunks, 0)
    assert.ok(same.stats.storedBytes < 1000)
    const after = Buffer.concat([before.subarray(0, 400_000), Buffer.from('one more row\n'), before.subarray(400_000)])
    const changed = await backUp(test.repository, after)
    assert.ok(changed.stats.newChunks > 0 && changed.stats.newChunks < 6, `${changed.stats.newChunks} new chunks`)
    assert.ok((await readStream(test.repository, changed.stream)).equals(after))
  })

  it('takes two sessions at once', async () => {
    await using test = await TestRepository.create()
    const bytes = rows(5000)
    await using first = await test.repository.startSession()
    await using second = await test.repository.startSession()
    const [a, b] = await Promise.all([writeStream(first, bytes), writeStream(second, bytes)])
    await Promise.all([first.commit({ from: 'first' }), second.commit({ from: 'second' })])
    assert.deepEqual(a, b)
    assert.ok((await readStream(test.repository, b)).equals(bytes))
    assert.equal((await all(test.repository.records())).length, 2)
    assert.equal((await backUp(test.repository, bytes)).stats.newChunks, 0)
  })

  it('shows nothing of the content, and no secret when it is printed', async () => {
    await using test = await TestRepository.create()
    await using session = await test.repository.startSession()
    const stream = await writeStream(session, rows(1000))
    const manifest = await writeStream(session, Buffer.from('a marker that must not be seen'), { kind: 'meta' })
    await session.commit({ stream, manifest, text: 'a marker that must not be seen' })
    await test.repository.saveProof('a marker that must not be seen')
    const identity = test.key.identities[0] ?? ''
    for (const key of await test.objects()) {
      const text = (await readFile(test.path(key))).toString('latin1')
      assert.ok(!text.includes('marker') && !text.includes(identity), key)
    }
    const printed = inspect(test.repository, { depth: 9, showHidden: true })
    assert.ok(!printed.includes(identity))
    assert.ok(!printed.includes(inspect(test.key.secret)))
  })

  it('keeps records and proofs in order, and tells damaged ones apart', async () => {
    await using test = await TestRepository.create()
    const ids: string[] = []
    for (let run = 0; run < 3; run++) {
      await using session = await test.repository.startSession()
      ids.push((await session.commit({ run })).id)
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    await test.flipBit(`records/${ids[1]}`)
    await writeFile(test.path('records/README'), 'not a record')
    const proof = await test.repository.saveProof({ outcome: 'proven' })
    const found = await all(test.repository.records())
    assert.deepEqual(
      found.map((record) => [record.id, record.state]),
      [
        [ids[0], 'committed'],
        [ids[1], 'damaged'],
        [ids[2], 'committed'],
      ],
    )
    assert.deepEqual(found[2]?.state === 'committed' && found[2].body, { run: 2 })
    const [saved] = await all(test.repository.proofs())
    assert.ok(saved?.state === 'saved')
    assert.equal(saved.id, proof)
    assert.deepEqual(saved.body, { outcome: 'proven' })
  })

  it('does not take one object for another', async () => {
    await using test = await TestRepository.create()
    const { id } = await backUp(test.repository, rows(10))
    const other = `${id.slice(0, -1)}${id.endsWith('0') ? '1' : '0'}`
    await writeFile(test.path(`records/${other}`), await readFile(test.path(`records/${id}`)))
    const states = (await all(test.repository.records())).map((record) => record.state)
    assert.deepEqual(states.toSorted(), ['committed', 'damaged'])
  })

  it('calls a record unverified that was stored long after its check', async () => {
    await using test = await TestRepository.create()
    const { id } = await backUp(test.repository, rows(10))
    const later = new Date(Date.now() + 3700 * 1000)
    await utimes(test.path(`records/${id}`), later, later)
    assert.deepEqual(
      (await all(test.repository.records())).map(({ state }) => state),
      ['unverified'],
    )
  })

  it('finds again what a session stored that never committed', async () => {
    await using test = await TestRepository.create()
    const bytes = rows(20_000)
    {
      await using session = await test.repository.startSession()
      await writeStream(session, bytes)
      await assert.rejects(
        session.commit({ body: 'that is not JSON: ', toJSON: () => assert.fail('crash') } as never),
        { message: 'crash' },
      )
    }
    assert.equal((await all(test.repository.records())).length, 0)
    for (const key of await test.objects('index/')) await test.remove(key)
    const rerun = await backUp(test.repository, bytes)
    assert.equal(rerun.stats.newChunks, 0)
    assert.ok((await readStream(test.repository, rerun.stream)).equals(bytes))
  })

  it('stops a session that is left without a commit', async () => {
    await using test = await TestRepository.create()
    {
      await using session = await test.repository.startSession()
      await writeStream(session, rows(1000))
    }
    assert.deepEqual(await test.objects('packs/'), [])
    const aborted = new AbortController()
    await using session = await test.repository.startSession({ signal: aborted.signal })
    aborted.abort()
    await assert.rejects(writeStream(session, rows(10_000)), { name: 'AbortError' })
    await assert.rejects(session.commit({}), { name: 'AbortError' })
  })

  it('commits nothing when a pack can not be stored', async () => {
    await using test = await TestRepository.create()
    await using session = await test.repository.startSession()
    await writeStream(session, rows(1000))
    await writeFile(test.path('packs'), 'where a directory should be')
    await assert.rejects(session.commit({}), { name: 'AppError' })
    await assert.rejects(writeStream(session, rows(10)), { name: 'AppError' })
    assert.deepEqual(await test.objects('records/'), [])
  })

  it('stores again what was lost, and old backups are whole again', async () => {
    await using test = await TestRepository.create()
    const bytes = rows(10_000)
    const first = await backUp(test.repository, bytes)
    for (const harm of ['remove', 'truncate'] as const) {
      const [pack = ''] = await test.objects('packs/')
      if (harm === 'remove') await test.remove(pack)
      else await test.truncate(pack, 1000)
      await assert.rejects(readStream(test.repository, first.stream), (error: Error) => error.message.includes(pack))
      const second = await backUp(test.repository, bytes)
      assert.equal(second.stats.newChunks, first.stats.newChunks)
      assert.ok((await readStream(test.repository, first.stream)).equals(bytes))
      if (harm === 'truncate') await test.remove(pack)
    }
  })

  it('reads whichever copy is whole', async () => {
    await using test = await TestRepository.create()
    const bytes = rows(5000)
    await using first = await test.repository.startSession()
    await using second = await test.repository.startSession()
    const stream = await writeStream(first, bytes)
    await writeStream(second, bytes)
    await first.commit({})
    await second.commit({})
    const packs = await test.objects('packs/')
    assert.equal(packs.length, 2)
    for (const [index, pack] of packs.entries()) await test.flipBit(pack, index * 50_000 + 1000)
    assert.ok((await readStream(test.repository, stream)).equals(bytes))
    const other = packs[1] ?? ''
    await test.flipBit(other, 1000)
    await assert.rejects(readStream(test.repository, stream), { code: 'object-damaged' })
  })

  it('rebuilds the index from the packs', async () => {
    await using test = await TestRepository.create()
    const bytes = rows(5000)
    const { stream } = await backUp(test.repository, bytes)
    await rm(test.path('index'), { recursive: true })
    assert.ok((await readStream(test.repository, stream)).equals(bytes))
    assert.equal((await backUp(test.repository, bytes)).stats.newChunks, 0)
  })

  it('ignores what is not its own', async () => {
    await using test = await TestRepository.create()
    const { stream } = await backUp(test.repository, rows(1000))
    for (const key of ['packs/junk', 'packs/README.txt', 'index/notes', 'gc/.hidden', 'unknown']) {
      await test.store.put(key, [Buffer.from('junk')])
    }
    await test.store.put(`packs/${'ab'.repeat(32)}`, [Buffer.from('a pack in the wrong folder')])
    await backUp(test.repository, rows(1000))
    assert.ok((await readStream(test.repository, stream)).equals(rows(1000)))
  })
})

describe('keys of a repository', () => {
  async function opened(test: TestRepository, key: RepositoryKey | undefined): Promise<Repository> {
    return openRepository(test.store, { keys: key ? [key] : [] })
  }

  it('let a writer back up, list and show, but not read', async () => {
    await using test = await TestRepository.create()
    const bytes = rows(5000)
    await backUp(test.repository, bytes)
    const writer = await opened(test, test.key.forWritingOnly())
    assert.equal(await writer.canRead(), false)
    await using session = await writer.startSession()
    const stream = await writeStream(session, bytes)
    const manifest = await writeStream(session, Buffer.from('{"tables":[]}'), { kind: 'meta' })
    await session.commit({ stream, manifest })
    assert.equal(session.stats.newChunks, 1)
    assert.equal((await all(writer.records())).length, 2)
    assert.equal((await readStream(writer, manifest)).toString(), '{"tables":[]}')
    await assert.rejects(readStream(writer, stream), { code: 'key-cannot-read' })
    assert.ok((await readStream(test.repository, stream)).equals(bytes))
  })

  it('may be those of recipients that were given', async () => {
    const identity = await generateX25519Identity()
    await using test = await TestRepository.create({ recipients: [await identityToRecipient(identity)] })
    assert.equal(test.key.canRead, false)
    const { stream } = await backUp(test.repository, rows(100))
    const reader = await opened(test, new RepositoryKey({ identities: [identity] }))
    assert.ok((await readStream(reader, stream)).equals(rows(100)))
    await assert.rejects(createRepository(test.store), { code: 'repository-exists' })
    await using other = await TestRepository.create()
    await rm(other.path('config'))
    await rm(other.path('config.bak'))
    await assert.rejects(createRepository(other.store, { recipients: [identity] }), {
      code: 'key-invalid',
      message: 'recipient 1 is not an age recipient',
    })
  })

  it('are refused when they do not fit', async () => {
    await using test = await TestRepository.create()
    await using other = await TestRepository.create()
    const stranger = new RepositoryKey({ identities: [await generateX25519Identity()] })
    await assert.rejects(opened(test, undefined), { code: 'key-missing' })
    await assert.rejects(opened(test, stranger), { code: 'key-wrong' })
    await assert.rejects(opened(test, other.key), { code: 'repository-replaced' })
    assert.ok(await openRepository(test.store, { keys: [stranger, other.key, test.key] }))
    await assert.rejects(openRepository(test.store, { keys: [], passphrase: 'none' }), { code: 'key-wrong' })
  })

  it('open with the passphrase, which hands out the identity', async () => {
    await using test = await TestRepository.create({ passphrase: 'correct horse' })
    const { stream } = await backUp(test.repository, rows(100))
    const reader = await openRepository(test.store, { keys: [], passphrase: 'correct horse' })
    assert.ok((await readStream(reader, stream)).equals(rows(100)))
    assert.deepEqual(reader.key.identities, test.key.identities)
    await assert.rejects(openRepository(test.store, { keys: [], passphrase: 'wrong' }), { code: 'key-wrong' })
  })

  it('notice another repository in the same place', async () => {
    await using test = await TestRepository.create()
    await using other = await TestRepository.create({
      recipients: [await identityToRecipient(test.key.identities[0] ?? '')],
    })
    for (const name of ['config', 'config.bak']) await writeFile(test.path(name), await readFile(other.path(name)))
    await assert.rejects(opened(test, test.key), { code: 'repository-replaced' })
    await assert.rejects(opened(test, test.key.forWritingOnly()), { code: 'repository-replaced' })
    const sameId = (await readFile(other.path('config'), 'utf8')).replace(other.repository.id, test.repository.id)
    for (const name of ['config', 'config.bak']) await writeFile(test.path(name), sameId)
    await assert.rejects(opened(test, test.key), { code: 'repository-replaced' })
    await assert.rejects(opened(test, test.key.forWritingOnly()), { code: 'repository-replaced' })
  })

  it('notice a config that was changed', async () => {
    await using test = await TestRepository.create()
    const stranger = await identityToRecipient(await generateX25519Identity())
    const text = await readFile(test.path('config'), 'utf8')
    const changed = JSON.stringify({ ...JSON.parse(text), recipients: [...test.repository.recipients, stranger] })
    await writeFile(test.path('config'), changed)
    assert.deepEqual((await opened(test, test.key)).recipients, test.repository.recipients, 'from the copy')
    await writeFile(test.path('config.bak'), changed)
    await assert.rejects(opened(test, test.key), { code: 'object-damaged' })
    await assert.rejects(opened(test, test.key.forWritingOnly()), { code: 'repository-replaced' })
    await writeFile(test.path('config'), JSON.stringify({ ...JSON.parse(text), format: 2 }))
    await assert.rejects(opened(test, test.key), { code: 'repository-newer' })
  })

  it('open a repository whose config is damaged from its copy', async () => {
    await using test = await TestRepository.create()
    const text = await readFile(test.path('config'))
    for (let position = 0; position < text.length; position += 41) {
      await test.flipBit('config', position)
      assert.equal((await opened(test, test.key)).id, test.repository.id)
      await writeFile(test.path('config'), text)
    }
    await test.remove('config')
    assert.ok(await (await opened(test, test.key)).canRead())
    await test.remove('config.bak')
    await assert.rejects(opened(test, test.key), { code: 'repository-missing' })
  })
})
