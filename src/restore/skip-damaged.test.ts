import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { hasCode } from '../core/app-error.ts'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import { Inventory } from '../repository/packs/inventory.ts'
import type { Manifest } from '../repository/backups/manifest.ts'
import { listBackups, readManifest } from '../repository/backups/open-backup.ts'
import type { StreamRef } from '../repository/chunks/stream-ref.ts'
import { TestBench } from './test-bench.ts'

describe('a restore that leaves out what is damaged', { timeout: 300_000 }, () => {
  let bench: TestBench
  before(async () => {
    bench = await TestBench.start({ averageChunkBytes: 4096 })
  })
  after(() => bench[Symbol.asyncDispose]())

  async function manifestOf(id: string): Promise<Manifest> {
    const { backups } = await listBackups(bench.repository)
    const backup = backups.find((one) => one.id === id)
    assert.ok(backup)
    return readManifest(await bench.repository.openReader(), backup)
  }

  /** Damages one chunk of a stream, counted from the end if negative, while `work` is done. */
  async function damaged<Value>(
    stream: StreamRef | undefined,
    chunk: number,
    work: () => Promise<Value>,
  ): Promise<Value> {
    assert.ok(stream)
    const { packs, blobs } = await Inventory.load(bench.repository.context)
    const reader = await bench.repository.openReader()
    const lists = await Promise.all(stream.lists.map((list) => reader.readList(list)))
    const id = lists.flat().at(chunk)
    assert.ok(id)
    const saved = new Map<string, Buffer>()
    for (const blob of blobs.copies(id)) {
      const { pack, offset } = blobs.place(blob)
      const name = packs[pack]?.name ?? ''
      const path = join(bench.repository.store.location, 'packs', name.slice(0, 2), name)
      const bytes = await readFile(path)
      saved.set(path, Buffer.from(bytes))
      bytes.writeUInt8(bytes.readUInt8(offset + 20) ^ 1, offset + 20)
      await writeFile(path, bytes)
    }
    assert.ok(saved.size > 0)
    try {
      return await work()
    } finally {
      for (const [path, bytes] of saved) await writeFile(path, bytes)
    }
  }
  const partOf = (manifest: Manifest, name: string) => manifest.tables.find((table) => table.name === name)?.parts[0]
  const commentOn = async (target: ConnectionTarget, what: string) =>
    (await bench.query(target, `SELECT ${what}`))[0]?.[0]

  const family = `
    CREATE TABLE parents (id int PRIMARY KEY, v text); COMMENT ON TABLE parents IS 'elders';
    INSERT INTO parents SELECT i, md5(i::text) FROM generate_series(1, 2000) i;
    CREATE TABLE children (id serial PRIMARY KEY, parent int NOT NULL REFERENCES parents);
    COMMENT ON CONSTRAINT children_parent_fkey ON children IS 'kept if it can be';
    INSERT INTO children (parent) SELECT generate_series(1, 2000);
    CREATE INDEX parents_v ON parents (v); CREATE TABLE pets AS SELECT i, md5('pet' || i) AS name FROM generate_series(1, 100) i;
    CREATE MATERIALIZED VIEW one_over AS SELECT 1 / count(*) AS n FROM parents WHERE id = 1;
    CREATE FUNCTION told() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no DDL'; END$$;
    CREATE EVENT TRIGGER told ON ddl_command_end EXECUTE FUNCTION told()`

  it('brings back every row that can be read, and says which are missing, everywhere', async () => {
    const source = await bench.database(family)
    const id = await bench.backUp(source)
    const part = partOf(await manifestOf(id), 'parents')
    await damaged(part, 0, async () => {
      await assert.rejects(
        bench.restore(id, 'refused'),
        (error) =>
          hasCode(error, 'object-damaged') &&
          /^table public\.parents: packs\/.* is damaged/.test(error.message) &&
          error.hint?.includes('--skip-damaged') === true,
      )
      const restored = await bench.restore(id, 'in_part', {}, { skipDamaged: true })
      const { lost, rows, bytes } = restored.outcome
      assert.deepEqual(
        lost.map(({ object }) => object),
        [
          'table public.parents',
          'FK CONSTRAINT public.children children_parent_fkey',
          'MATERIALIZED VIEW DATA public.one_over',
        ],
      )
      const [, missing = ''] = /^lacks (\d+) of 2000 rows$/.exec(lost[0]?.problem ?? '') ?? []
      assert.match(lost[0]?.damage ?? '', /^packs\/\S+ is damaged: it is not what was written$/)
      assert.ok(Number(missing) > 0 && Number(missing) < 300)
      assert.equal(rows, 4100 - Number(missing))
      const [[text] = []] = await bench.query(
        restored,
        `SELECT (SELECT sum(length(id::text || v) + 2) FROM parents) + (SELECT sum(length(i::text || name) + 2) FROM pets)
              + (SELECT sum(length(id::text || parent) + 2) FROM children)`,
      )
      assert.equal(bytes, Number(text))
      // what is there is a part of what was there, in the place of nothing else
      const [[count, last] = []] = await bench.query(
        restored,
        'SELECT count(*), max(id) FROM parents WHERE v = md5(id::text)',
      )
      assert.deepEqual([Number(count), last], [2000 - Number(missing), '2000'])
      assert.deepEqual(await bench.query(restored, 'SELECT count(*) FROM children'), [['2000']])
      assert.deepEqual(await bench.query(restored, "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'"), [
        ['3'],
      ])
      assert.equal(
        await commentOn(restored, "obj_description('parents'::regclass)"),
        `elders\npgrevive: lacks ${missing} of 2000 rows, which are damaged in backup ${id}`,
      )
      assert.match(
        (await commentOn(
          restored,
          "shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()",
        )) ?? '',
        new RegExp(
          `^pgrevive: restored from backup ${id} without .*table public\\.parents lacks ${missing} of 2000 rows`,
        ),
      )
      // what is not damaged comes back whole, and nothing says otherwise
      const pets = await bench.restore(id, 'pets', { tables: ['pets'] }, { skipDamaged: true })
      assert.deepEqual([pets.outcome.lost, pets.outcome.rows], [[], 100])
      const proof = await bench.prove(id)
      assert.deepEqual(
        [proof.outcome, proof.differences[0]?.problem.includes('table public.parents')],
        ['refuted', true],
      )
    })
    const whole = await bench.restore(id, 'whole', {}, { skipDamaged: true })
    assert.deepEqual(whole.outcome.lost, [])
    assert.equal(await commentOn(whole, "obj_description('parents'::regclass)"), 'elders')
  })

  it('loses no row that lies wholly in what can be read, wherever the damage is', async () => {
    const id = await bench.backUp(
      await bench.database(
        "CREATE TABLE t (id int, v text); INSERT INTO t SELECT i, CASE i % 100 WHEN 0 THEN repeat(md5(i::text), 500) ELSE md5(i::text) || E'\\n' END FROM generate_series(1, 1000) i",
      ),
    )
    const part = partOf(await manifestOf(id), 't')
    assert.ok(part && part.chunks > 10)
    for (const chunk of [0, 1, Math.floor(part.chunks / 2), -2, -1]) {
      await damaged(part, chunk, async () => {
        const name = `t_${chunk < 0 ? `last_${-chunk}` : chunk}`
        const restored = await bench.restore(id, name, {}, { skipDamaged: true })
        const lostRows = Number(/^lacks (\d+) of 1000/.exec(restored.outcome.lost[0]?.problem ?? '')?.[1])
        assert.ok(lostRows > 0 && lostRows < 500)
        const rows = await bench.query(restored, 'SELECT id FROM t ORDER BY id')
        assert.equal(rows.length, 1000 - lostRows)
        const there = new Set(rows.map(([row]) => Number(row)))
        const missing = Array.from({ length: 1000 }, (_, row) => row + 1).filter((row) => !there.has(row))
        assert.equal((missing.at(-1) ?? 0) - (missing[0] ?? 0) + 1, lostRows, 'one gap')
        assert.deepEqual(
          await bench.query(
            restored,
            "SELECT count(*) FROM t WHERE v NOT IN (md5(id::text) || E'\\n', repeat(md5(id::text), 500))",
          ),
          [['0']],
        )
      })
    }
  })

  it('leaves out the large objects that lack something, and keeps the others whole', async () => {
    const source = await bench.database(
      `SELECT lo_from_bytea(1000 + i, convert_to(repeat(md5(i::text), 300 * i), 'UTF8')) FROM generate_series(1, 20) i;
       SELECT lo_create(2000); COMMENT ON LARGE OBJECT 1001 IS 'first'; CREATE TABLE t AS SELECT 1 AS i`,
    )
    const id = await bench.backUp(source)
    const contents = (await manifestOf(id)).largeObjects?.contents
    assert.ok(contents && contents.chunks > 20)
    const digests = 'SELECT oid, md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid'
    const before = await bench.query(source, digests)
    for (const chunk of [0, Math.floor(contents.chunks / 2), -1]) {
      await damaged(contents, chunk, async () => {
        const restored = await bench.restore(id, `lo_${chunk < 0 ? 'last' : chunk}`, {}, { skipDamaged: true })
        const [loss, ...others] = restored.outcome.lost
        assert.deepEqual([loss?.object, others], ['large objects', []])
        const [, count, oids = ''] = /^lack (\d+) of 21 \((.*)\)$/.exec(loss?.problem ?? '') ?? []
        const lost = oids.split(', ')
        assert.equal(Number(count), lost.length)
        assert.ok(lost.length <= 3, oids)
        assert.deepEqual(
          await bench.query(restored, digests),
          before.filter(([oid]) => !lost.includes(oid ?? '')),
        )
      })
    }
  })

  it('does without indexes and constraints, but not without the definitions of tables', async () => {
    const id = await bench.backUp(await bench.database(family))
    const { schema } = await manifestOf(id)
    await damaged(schema?.postData, 0, async () => {
      const restored = await bench.restore(id, 'without_indexes', {}, { skipDamaged: true })
      assert.deepEqual(
        restored.outcome.lost.map(({ object }) => object),
        ['schema after data'],
      )
      assert.deepEqual(await bench.query(restored, "SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'"), [
        ['0'],
      ])
      assert.deepEqual(await bench.query(restored, 'SELECT count(*) FROM parents'), [['2000']])
      await assert.rejects(
        bench.restore(id, 'refused'),
        (error) => hasCode(error, 'object-damaged') && error.message.startsWith('schema after data: packs/'),
      )
    })
    await damaged(schema?.preData, 0, async () => {
      for (const skipDamaged of [true, false]) {
        await assert.rejects(
          bench.restore(id, 'refused', {}, { skipDamaged }),
          (error) => hasCode(error, 'object-damaged') && error.message.startsWith('schema before data: packs/'),
        )
      }
      const { database, ...rest } = await bench.database('CREATE TABLE pets (i int, name text)')
      const { outcome } = await bench.restore(
        id,
        database,
        { content: 'data-only', tables: ['pets'] },
        { skipDamaged: true },
      )
      assert.deepEqual(outcome.lost, [])
      assert.deepEqual(await bench.query({ ...rest, database }, 'SELECT count(*) FROM pets'), [['100']])
    })
  })

  it('does without the roles, and a proof does not', async () => {
    const id = await bench.backUp(await bench.database('CREATE TABLE t AS SELECT 1 AS i'))
    const { globals } = await manifestOf(id)
    await damaged(globals, 0, async () => {
      const restored = await bench.restore(id, 'without_roles', {}, { skipDamaged: true, createRoles: true })
      assert.deepEqual(
        restored.outcome.lost.map(({ object }) => object),
        ['roles and tablespaces'],
      )
      assert.deepEqual(await bench.query(restored, 'SELECT i FROM t'), [['1']])
      assert.equal((await bench.prove(id)).outcome, 'refuted')
    })
  })
})
