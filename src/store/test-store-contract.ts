import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasCode } from '../core/app-error.ts'
import { forEachParallel } from '../core/parallel.ts'
import type { ObjectStore, ReadObject } from './object-store.ts'

/** A place that is empty, and two clients of it, which may be one. */
export interface TestedPlace {
  readonly store: ObjectStore
  readonly other: ObjectStore
}

const mebibyte = 1024 * 1024
const all = { wanted: (_key: string) => true }

/** Tries what `ObjectStore` promises on places that `open` gives, a new one each time. */
export function describeStoreContract(
  name: string,
  open: () => Promise<TestedPlace>,
  options: { readonly skip?: string | undefined } = {},
): void {
  describe(`${name} keeps the contract of stores:`, options.skip === undefined ? {} : { skip: options.skip }, () => {
    it('gives back what was put, whole or in part', async () => {
      const { store } = await open()
      await store.put('packs/ab/abc', [Buffer.from('hello '), new Uint8Array(), new TextEncoder().encode('world')])
      assert.equal((await store.get('packs/ab/abc')).toString(), 'hello world')
      const part = async (offset: number, length: number) =>
        (await store.get('packs/ab/abc', { range: { offset, length } })).toString()
      assert.deepEqual(
        [
          await part(0, 1),
          await part(6, 3),
          await part(6, 99),
          await part(0, 99),
          await part(11, 1),
          await part(99, 5),
        ],
        ['h', 'wor', 'world', 'hello world', '', ''],
      )
    })

    it('gives back objects of any length', async () => {
      const { store } = await open()
      for (const length of [0, 1, 64 * 1024, 64 * 1024 + 1, 1_000_000, 20 * mebibyte]) {
        const content = Buffer.alloc(length, 'some content, ')
        await store.put('object', [content])
        assert.ok((await store.get('object')).equals(content), `${length} bytes`)
      }
    })

    it('shows what was put or removed at once, to others too', async () => {
      const { store, other } = await open()
      const seen = async () => [await keysOf(other, 'r/'), (await readAll(other, 'r/')).map(({ key }) => key)]
      for (let round = 0; round < 5; round++) {
        await store.put('r/1', [Buffer.from(`round ${round}`)])
        assert.equal((await other.get('r/1')).toString(), `round ${round}`)
        assert.deepEqual(await seen(), [['r/1'], ['r/1']])
        await store.delete('r/1')
        await assert.rejects(other.get('r/1'), { code: 'object-missing' })
        assert.deepEqual(await seen(), [[], []])
      }
    })

    it('removes one object only, and does not mind if there is none', async () => {
      const { store, other } = await open()
      for (const key of ['a/1', 'a/11', 'b']) await store.put(key, [Buffer.from(key)])
      for (let time = 0; time < 2; time++) await store.delete('a/1')
      await store.delete('nothing/here')
      assert.deepEqual(await keysOf(other, ''), ['a/11', 'b'])
    })

    it('replaces an object as a whole, and readers see one or the other', async () => {
      const { store, other } = await open()
      const contentOf = (digit: number) => Buffer.alloc(2 * mebibyte, `${digit}`)
      await store.put('object', [contentOf(0)])
      let isOver = false
      const read = async () => {
        while (!isOver) {
          const bytes = await other.get('object')
          assert.ok(bytes.equals(contentOf(Number(bytes.subarray(0, 1).toString()))), 'some of each')
        }
      }
      const reading = read()
      await Promise.all([1, 2, 3, 4].map((digit) => store.put('object', [contentOf(digit)]))).finally(
        () => (isOver = true),
      )
      await reading
      assert.deepEqual(await keysOf(store, ''), ['object'])
    })

    it("lists all objects below a folder, in the order of the keys' bytes, with their sizes", async () => {
      const { store } = await open()
      const keys = ['B', 'a-b', 'a.b', 'a/b-c', 'a/b/2', 'a/b/3/4', 'a/b0', 'a/c', 'a0', 'a_b', 'aa/1']
      for (const key of keys.toReversed()) await store.put(key, [Buffer.alloc(key.length)])
      assert.deepEqual(await keysOf(store, ''), keys)
      assert.deepEqual(
        await keysOf(store, 'a/'),
        keys.filter((key) => key.startsWith('a/')),
      )
      assert.deepEqual(await keysOf(store, 'a/b/'), ['a/b/2', 'a/b/3/4'])
      assert.deepEqual(await keysOf(store, 'nothing/'), [])
      for await (const { key, sizeBytes } of store.list('')) assert.equal(sizeBytes, key.length)
    })

    it('lists more objects than a page holds', async () => {
      const { store } = await open()
      const keys = Array.from({ length: 1003 }, (_, n) => `r/${1000 + n}`)
      await forEachParallel(keys, 32, (key) => store.put(key, [Buffer.from(key)]))
      assert.deepEqual(await keysOf(store, 'r/'), keys)
    })

    it('reads the wanted objects right in a folder, small and large ones, in key order', async () => {
      const { store } = await open()
      const contents = new Map(Array.from({ length: 40 }, (_, n) => [`r/${1000 + n}`, Buffer.alloc(n ** 3, `${n}`)]))
      for (const [key, content] of [...contents].toReversed()) await store.put(key, [content])
      for (const key of ['r/other', 'r/2000/1', 'r-1', 'x/1']) await store.put(key, [Buffer.from('not wanted')])
      const objects = await readAll(store, 'r/', (key) => key !== 'r/other')
      assert.deepEqual(
        objects.map(({ key, bytes }) => [key, bytes]),
        [...contents],
      )
      for (const { key, sizeBytes } of objects) assert.equal(sizeBytes, contents.get(key)?.length)
      assert.deepEqual(await readAll(store, 'nothing/'), [])
    })

    it('leaves out what is removed while a folder is read', async () => {
      const { store, other } = await open()
      const keys = Array.from({ length: 140 }, (_, n) => `r/${1000 + n}`)
      await forEachParallel(keys, 16, (key) => store.put(key, [Buffer.alloc(10)]))
      const read: string[] = []
      for await (const batch of store.readFolder('r/', all)) {
        read.push(...batch.map(({ key }) => key))
        await other.delete('r/1139')
      }
      assert.deepEqual(read, keys.slice(0, -1))
    })

    it('refuses what is no key', async () => {
      const { store } = await open()
      for (const key of ['', '/', '/etc/passwd', '../x', 'a/../b', 'a/..', 'a//b', 'a/', 'a b', 'a\0b', 'ä', 'tmp/x']) {
        for (const call of [() => store.put(key, []), () => store.get(key), () => store.delete(key)])
          await assert.rejects(call, { code: 'store-failed' }, key)
      }
      assert.deepEqual(await keysOf(store, ''), [])
    })

    it('tells the time of the clock that its objects carry', async () => {
      const { store, other } = await open()
      const before = await store.now()
      await store.put('r/object', [Buffer.from('x')])
      const after = await other.now()
      const [listed] = await Array.fromAsync(store.list(''))
      const [read] = await readAll(store, 'r/')
      assert.deepEqual(read?.modifiedAt, listed?.modifiedAt)
      const at = listed?.modifiedAt.getTime() ?? NaN
      // a second: some clocks tell no less
      assert.ok(
        before.getTime() <= at + 1000 && at < after.getTime() + 1000,
        `${[before, new Date(at), after].map(String).join(', ')}`,
      )
      assert.ok(before.getTime() <= after.getTime())
    })

    it('keeps what it was given, whatever becomes of the buffers', async () => {
      const { store } = await open()
      const given = Buffer.from('abc')
      await store.put('object', [given])
      given.fill('x')
      const got = await store.get('object')
      got.fill('y')
      assert.equal((await store.get('object')).toString(), 'abc')
    })

    it('does nothing any more once it is told to stop, and says why', async () => {
      const { store } = await open()
      await store.put('r/object', [Buffer.from('abc')])
      const reason = new Error('enough')
      const options = { signal: AbortSignal.abort(reason) }
      const calls = [
        () => store.put('r/other', [Buffer.from('x')], options),
        () => store.get('r/object', options),
        () => store.delete('r/object', options),
        () => Array.fromAsync(store.list('', options)),
        () => Array.fromAsync(store.readFolder('r/', { ...options, ...all })),
      ]
      for (const call of calls) await assert.rejects(call, reason)
      assert.deepEqual(await keysOf(store, ''), ['r/object'])
    })

    it('removes no object with what is unfinished', async () => {
      const { store } = await open()
      await store.put('packs/1', [Buffer.from('x')])
      assert.equal(await store.removeAbandoned(), 0)
      assert.deepEqual(await keysOf(store, ''), ['packs/1'])
    })
  })
}

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  return (await Array.fromAsync(store.list(prefix))).map(({ key }) => key)
}

async function readAll(store: ObjectStore, prefix: string, wanted = all.wanted): Promise<ReadObject[]> {
  const objects = (await Array.fromAsync(store.readFolder(prefix, { wanted }))).flat()
  for (const { bytes } of objects) assert.ok(!hasCode(bytes, 'object-damaged'))
  return objects
}
