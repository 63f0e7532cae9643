import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { TestBench } from './test-bench.ts'
import { TestRepository } from '../repository/test-repository.ts'
import { copyBackups } from '../repository/backups/copy-backups.ts'
import { manifestStreams, withStreams } from '../repository/backups/manifest-streams.ts'
import { listBackups, readManifest } from '../repository/backups/open-backup.ts'

describe('backups that are copied into another repository', { timeout: 120_000 }, () => {
  let bench: TestBench
  before(async () => {
    bench = await TestBench.start()
  })
  after(() => bench[Symbol.asyncDispose]())

  it('keep their ids and what they hold, and store what they have in common once', async () => {
    const target = await bench.database(
      `CREATE TABLE large AS SELECT i, md5(i::text) AS t FROM generate_series(1, 20000) i; CREATE TABLE small (i int);
       SELECT lo_from_bytea(1, 'x')`,
    )
    await bench.backUp(target)
    await bench.query(target, 'INSERT INTO small VALUES (1)')
    await bench.backUp(target)
    await using there = await TestRepository.create()
    const { backups } = await listBackups(bench.repository)
    const done = await Array.fromAsync(copyBackups({ from: bench.repository, to: there.repository }, backups))
    const copied = done.flatMap((one) => ('copied' in one ? one.copied : []))
    assert.deepEqual(
      copied.map(({ id }) => id),
      backups.map(({ id }) => id),
    )
    const [first, second] = copied.map(({ record }) => record)
    assert.ok(first && second && second.added.bytes < first.added.bytes / 5)
    assert.deepEqual(second.copied?.from, bench.repository.id)
    const { repository } = await there.reopen()
    const listed = (await listBackups(repository)).backups
    const [reader, original] = [await repository.openReader(), await bench.repository.openReader()]
    for (const [index, backup] of listed.entries()) {
      const [copy, source] = [
        await readManifest(reader, backup),
        await readManifest(original, backups[index] ?? backup),
      ]
      const anyStream = () => source.globals
      assert.deepEqual(withStreams(copy, anyStream), withStreams(source, anyStream))
      for (const { stream } of manifestStreams(copy)) {
        let bytes = 0
        for await (const piece of reader.read(stream)) bytes += piece.length
        assert.equal(bytes, stream.bytes)
      }
    }
  })

  it('have another stream for every one that the manifest names', async () => {
    const id = await bench.backUp(await bench.database("CREATE TABLE t AS SELECT 1 AS i; SELECT lo_from_bytea(2, 'x')"))
    const backup = (await listBackups(bench.repository)).backups.find((one) => one.id === id)
    assert.ok(backup)
    const manifest = await readManifest(await bench.repository.openReader(), backup)
    const replaced = withStreams(manifest, (stream) => ({ ...stream, lists: ['00'.repeat(16)] }))
    const streams = [...manifestStreams(manifest)]
    assert.equal(streams.length, 6)
    const left = JSON.stringify(replaced)
    for (const list of streams.flatMap(({ stream }) => stream.lists)) assert.ok(!left.includes(list))
  })
})
