import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ManifestTable, QualifiedName } from '../repository/backups/manifest.ts'
import { archiveDependencies } from './archive-dependencies.ts'
import type { NumberedItem } from './archive-objects.ts'
import type { ExportItem } from './export-items.ts'

function item(type: string, name: string, sql: string, section: ExportItem['section'] = 'post-data'): ExportItem {
  return { entry: { type, name, schema: 's', owner: undefined, sql, defaults: {} }, section, optional: false }
}
const table = (name: string) => item('TABLE', name, `CREATE TABLE s.${name} (a integer);`, 'pre-data')
const attach = (parent: string, child: string) =>
  item('TABLE ATTACH', child, `ALTER TABLE ONLY s.${parent} ATTACH PARTITION s.${child} DEFAULT;`, 'pre-data')
function rows(name: string, more: Partial<ManifestTable> = {}): ExportItem {
  const data = { schema: 's', name, columns: ['a'], rows: 1, bytes: 2, hash: '0'.repeat(16), parts: [], ...more }
  return { ...item('TABLE DATA', `rows of ${name}`, 'COPY', 'data'), data: { table: data } }
}
const key = (on: string) =>
  item('CONSTRAINT', `${on} ${on}_key`, `ALTER TABLE ONLY s.${on}\n    ADD CONSTRAINT ${on}_key PRIMARY KEY (a);`)
const attachKey = (parent: string, child: string) =>
  item('INDEX ATTACH', `${child}_key`, `ALTER INDEX s.${parent}_key ATTACH PARTITION s.${child}_key;`)
const foreignKey = (from: string, to: string) =>
  item(
    'FK CONSTRAINT',
    `${from} fk`,
    `ALTER TABLE s.${from}\n    ADD CONSTRAINT fk FOREIGN KEY (a) REFERENCES s.${to}(a);`,
  )
const trigger = (on: string) =>
  item('TRIGGER', `${on} tr`, `CREATE TRIGGER tr BEFORE INSERT ON s.${on} FOR EACH ROW EXECUTE FUNCTION s.f();`)

/** `TYPE name` of all that must come before, directly or not. */
function before(items: readonly ExportItem[]): (name: string) => string[] {
  const numbered = items.map((it, index): NumberedItem => ({ ...it, id: index + 1 }))
  const dependencies = archiveDependencies(numbered)
  const titles = new Map(numbered.map(({ id, entry }) => [id, `${entry.type} ${entry.name}`]))
  return (title) => {
    const found = new Set<number>()
    const visit = (id: number) => {
      for (const next of dependencies.get(id) ?? []) if (!found.has(next) && found.add(next)) visit(next)
    }
    const [start] = [...titles].find(([, it]) => it === title) ?? []
    assert.ok(start !== undefined, title)
    visit(start)
    return [...found].map((id) => titles.get(id) ?? '').toSorted()
  }
}

describe('an entry of an archive waits', () => {
  it('for the rows of its table, and an index for no other', () => {
    const of = before([
      table('t'),
      table('u'),
      rows('t'),
      rows('u'),
      key('t'),
      key('u'),
      item('INDEX', 'i', 'CREATE INDEX i ON s.u USING btree (a);'),
    ])
    assert.deepEqual(of('TABLE DATA rows of t'), ['TABLE t'])
    assert.deepEqual(of('CONSTRAINT t t_key'), ['TABLE DATA rows of t', 'TABLE t'])
    assert.deepEqual(of('INDEX i'), ['TABLE DATA rows of u', 'TABLE u'])
  })

  it('for the rows of all partitions, and for the keys of those that are referred to', () => {
    const of = before([
      table('p'),
      table('p1'),
      table('p11'),
      table('c'),
      table('c1'),
      attach('p', 'p1'),
      attach('p1', 'p11'),
      attach('c', 'c1'),
      rows('p11'),
      rows('c1'),
      key('p'),
      key('p1'),
      key('p11'),
      attachKey('p', 'p1'),
      attachKey('p1', 'p11'),
      foreignKey('c', 'p'),
      trigger('p'),
    ])
    const needed = of('FK CONSTRAINT c fk')
    for (const title of [
      'TABLE DATA rows of p11',
      'TABLE DATA rows of c1',
      'CONSTRAINT p p_key',
      'CONSTRAINT p11 p11_key',
      'INDEX ATTACH p1_key',
      'INDEX ATTACH p11_key',
    ]) {
      assert.ok(needed.includes(title), title)
    }
    assert.ok(of('INDEX ATTACH p1_key').includes('INDEX ATTACH p11_key'))
    assert.ok(of('TRIGGER p tr').includes('TABLE DATA rows of p11'))
    assert.ok(of('CONSTRAINT p11 p11_key').includes('CONSTRAINT p p_key'))
  })

  it('for the rows that come through the root of its partitions', () => {
    const loadVia: QualifiedName = { schema: 's', name: 'p' }
    const of = before([
      table('p'),
      table('p1'),
      table('p2'),
      attach('p', 'p1'),
      attach('p', 'p2'),
      rows('p1', { loadVia }),
      rows('p2', { loadVia }),
      key('p1'),
    ])
    const needed = of('CONSTRAINT p1 p1_key')
    assert.ok(needed.includes('TABLE DATA rows of p1') && needed.includes('TABLE DATA rows of p2'))
  })

  it("for extensions' configuration, one table after the other", () => {
    const extension = { name: 'x', condition: '', columns: [] }
    const of = before([table('t'), rows('a', { extension }), rows('b', { extension }), rows('t')])
    assert.deepEqual(of('TABLE DATA rows of b'), ['TABLE DATA rows of a'])
    assert.deepEqual(of('TABLE DATA rows of t'), ['TABLE DATA rows of a', 'TABLE DATA rows of b', 'TABLE t'])
  })

  it('for everything before it, where the text does not tell what it needs', () => {
    const view = item('VIEW', 'v', 'CREATE OR REPLACE VIEW s.v AS\n SELECT 1;')
    const of = before([table('t'), table('u'), rows('t'), rows('u'), key('t'), view, key('u')])
    assert.ok(of('VIEW v').includes('CONSTRAINT t t_key'))
    assert.ok(of('CONSTRAINT u u_key').includes('VIEW v'))
  })

  it("for its object: a comment, a privilege, a column's privilege for those of the table", () => {
    const grant = (name: string, what: string) => item('ACL', name, `GRANT ${what} ON TABLE s.t TO joe;`, 'none')
    const of = before([
      table('t'),
      item('COMMENT', 'COLUMN t.a', `COMMENT ON COLUMN s.t.a IS 'x';`, 'none'),
      rows('t'),
      key('t'),
      item('COMMENT', 'INDEX t_key', `COMMENT ON INDEX s.t_key IS 'x';`, 'none'),
      item('CONSTRAINT', 'odd', 'ALTER ODD THING;'),
      item('COMMENT', 'ODD', `COMMENT ON ODD THING IS 'x';`, 'none'),
      grant('COLUMN t.a', 'SELECT(a)'),
      grant('TABLE t', 'SELECT'),
    ])
    assert.deepEqual(of('COMMENT COLUMN t.a'), ['TABLE t'])
    assert.ok(of('COMMENT INDEX t_key').includes('CONSTRAINT t t_key'))
    assert.ok(of('COMMENT ODD').includes('CONSTRAINT odd'))
    assert.deepEqual(of('ACL COLUMN t.a'), ['ACL TABLE t', 'TABLE t'])
    assert.deepEqual(of('ACL TABLE t'), ['TABLE t'])
  })

  it('for the materialized views before it, and an event trigger for all of them', () => {
    const refresh = (name: string) => item('MATERIALIZED VIEW DATA', name, `REFRESH MATERIALIZED VIEW s.${name};`)
    const of = before([
      refresh('v'),
      refresh('w'),
      item('EVENT TRIGGER', 'e', 'CREATE EVENT TRIGGER e ON ddl_command_end;'),
    ])
    assert.deepEqual(of('EVENT TRIGGER e'), ['MATERIALIZED VIEW DATA v', 'MATERIALIZED VIEW DATA w'])
  })
})
