import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { indexSubjectsOf, ownershipOf, subjectOf } from './schema-subject.ts'
import type { SchemaEntry } from './schema-text.ts'

function entry(sql: string, type = 'TABLE'): SchemaEntry {
  return { name: 'x', type, schema: 's', owner: undefined, sql, defaults: {} }
}

describe('the subject of a schema entry', () => {
  const pairs: [string, string[]][] = [
    [
      `CREATE VIEW s."V ON t" AS SELECT 1;\n\nALTER TABLE s."V ON t" OWNER TO joe;`,
      [
        `COMMENT ON VIEW s."V ON t" IS 'x IS y';`,
        `COMMENT ON COLUMN s."V ON t"."IS" IS 'x';`,
        `GRANT SELECT("ON") ON TABLE s."V ON t" TO ann;`,
        `SET SESSION AUTHORIZATION joe;\nGRANT ALL ON TABLE s."V ON t" TO ann WITH GRANT OPTION;`,
        `SECURITY LABEL FOR selinux ON VIEW s."V ON t" IS 'x';`,
      ],
    ],
    [
      `CREATE FUNCTION s.f(a integer, b text) RETURNS integer LANGUAGE sql AS $$SELECT 1$$;\n\nALTER FUNCTION s.f(a integer, b text) OWNER TO joe;`,
      [
        `COMMENT ON FUNCTION s.f(a integer, b text) IS 'x';`,
        `REVOKE ALL ON FUNCTION s.f(a integer, b text) FROM PUBLIC;`,
      ],
    ],
    [
      `CREATE AGGREGATE s.a(integer) (SFUNC = f);\n\nALTER AGGREGATE s.a(integer) OWNER TO joe;`,
      ['GRANT ALL ON FUNCTION s.a(integer) TO ann;'],
    ],
    [
      `CREATE DOMAIN s.d AS text;\n\nALTER DOMAIN s.d OWNER TO joe;`,
      [`COMMENT ON DOMAIN s.d IS 'x';`, 'GRANT ALL ON TYPE s.d TO ann;'],
    ],
    [`CREATE SEQUENCE s.q;\n\nALTER TABLE s.q OWNER TO joe;`, ['GRANT ALL ON SEQUENCE s.q TO ann;']],
    [
      `CREATE SERVER x FOREIGN DATA WRAPPER w;\n\nALTER SERVER x OWNER TO joe;`,
      ['GRANT ALL ON FOREIGN SERVER x TO ann;', `COMMENT ON SERVER x IS 'x';`],
    ],
    [`CREATE UNIQUE INDEX "I" ON ONLY s.t USING btree (a);`, [`COMMENT ON INDEX s."I" IS 'x';`]],
    [`ALTER TABLE ONLY s.t\n    ADD CONSTRAINT c PRIMARY KEY (a);`, [`COMMENT ON CONSTRAINT c ON s.t IS 'x';`]],
    [
      `ALTER DOMAIN s.d\n    ADD CONSTRAINT c CHECK ((VALUE > 0)) NOT VALID;`,
      [`COMMENT ON CONSTRAINT c ON DOMAIN s.d IS 'x';`],
    ],
    [
      `CREATE TRIGGER "on" BEFORE UPDATE OF "ON" ON s.t FOR EACH ROW EXECUTE FUNCTION s.f();`,
      [`COMMENT ON TRIGGER "on" ON s.t IS 'x';`],
    ],
    [`CREATE RULE r AS\n    ON INSERT TO s.t DO INSTEAD NOTHING;`, [`COMMENT ON RULE r ON s.t IS 'x';`]],
    [`CREATE POLICY p ON s.t USING (true);`, [`COMMENT ON POLICY p ON s.t IS 'x';`]],
    [`CREATE EXTENSION IF NOT EXISTS "e-x" WITH SCHEMA s;`, [`COMMENT ON EXTENSION "e-x" IS 'x';`]],
    [
      `SELECT pg_catalog.lo_create('42');\n\nALTER LARGE OBJECT 42 OWNER TO joe;`,
      [`COMMENT ON LARGE OBJECT 42 IS 'x';`],
    ],
  ]
  it('is called the same by what makes it and by what is about it', () => {
    for (const [made, about] of pairs) {
      const subject = subjectOf(entry(made))
      assert.notEqual(subject, undefined, made)
      for (const sql of about) assert.equal(subjectOf(entry(sql)), subject, sql)
    }
  })

  it('tells overloaded functions and objects of other tables apart', () => {
    const subjects = [
      'COMMENT ON FUNCTION s.f(integer) IS NULL;',
      'COMMENT ON FUNCTION s.f(text) IS NULL;',
      'COMMENT ON TRIGGER x ON s.t IS NULL;',
      'COMMENT ON TRIGGER x ON s.u IS NULL;',
      'COMMENT ON POLICY x ON s.u IS NULL;',
    ].map((sql) => subjectOf(entry(sql)))
    assert.equal(new Set(subjects).size, subjects.length)
  })

  it('has an owner, by the exact name', () => {
    const found = ownershipOf(entry(`CREATE TABLE s."a\nb" ();\n\nALTER TABLE s."a\nb" OWNER TO "J""o";`))
    assert.deepEqual(found, { subject: 'TABLE s."a\nb"', name: 'a\nb', owner: 'J"o' })
    assert.equal(ownershipOf(entry('CREATE INDEX i ON s.t USING btree (a);', 'INDEX')), undefined)
  })

  it('of an index is that of its constraint, and of what attaches it', () => {
    const made = [
      entry('CREATE INDEX i ON ONLY s.t USING btree (a);', 'INDEX'),
      entry('ALTER TABLE ONLY s."T"\n    ADD CONSTRAINT c PRIMARY KEY (a);', 'CONSTRAINT'),
      entry('ALTER INDEX s.i ATTACH PARTITION s.c;', 'INDEX ATTACH'),
    ].map(indexSubjectsOf)
    assert.deepEqual(made, [['INDEX s . i'], ['INDEX s . c'], ['INDEX s . i', 'INDEX s . c']])
  })
})
