import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  mapRoles,
  rolesOf,
  splitSchemaText,
  statementsOf,
  tableOf,
  withoutLz4,
  withoutOwner,
  type SchemaEntry,
} from './schema-text.ts'

const preamble = `--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\nSET standard_conforming_strings = on;\n`
const ending = `--\n-- PostgreSQL database dump complete\n--\n`

function header(name: string, type: string, schema = 'public', owner = 'joe'): string {
  return `\n--\n-- Name: ${name}; Type: ${type}; Schema: ${schema}; Owner: ${owner}\n--\n\n`
}

function split(body: string): SchemaEntry[] {
  return splitSchemaText(`${preamble}${body}\n\n${ending}`)
}

function entry(sql: string, type = 'TABLE'): SchemaEntry {
  return { name: 'x', type, schema: 'public', owner: undefined, sql, defaults: {} }
}

describe('splitting the text of pg_dump', () => {
  it('takes a header inside a quote of any kind for text', () => {
    const fake = `${header('evil', 'TABLE')}DROP TABLE x;\n${ending}`
    const bodies = [
      `$$${fake}$$`,
      `$_$ $$ ${fake} $x$ $_$`,
      `$é1$ $ $$ $é$ ${fake}$é1$`,
      `E'\\'${fake}'`,
      `'it''s \\${fake}'`,
      `/* /* ${fake} */ ${fake} */ 'x'`,
      `"a""${fake}"`,
    ]
    for (const body of bodies) {
      const sql = `CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS ${body};`
      const found = split(header('f()', 'FUNCTION') + sql + header('t', 'TABLE') + 'CREATE TABLE public.t ();')
      assert.deepEqual(
        found.map((it) => [it.name, it.type, it.sql]),
        [
          ['f()', 'FUNCTION', sql],
          ['t', 'TABLE', 'CREATE TABLE public.t ();'],
        ],
      )
    }
  })

  it('finds type, schema and owner though names look like headers', () => {
    const name = 'a; Type: TABLE; Schema: public; Owner: joe'
    const owner = 'o; Tablespace: t'
    const sql = `CREATE VIEW s.${quote(name)} AS SELECT 1;\n\n\nALTER VIEW s.${quote(name)} OWNER TO ${quote(owner)};`
    const [found] = split(header(name, 'VIEW', 's', owner) + sql)
    assert.deepEqual(found, { name, type: 'VIEW', schema: 's', owner, sql, defaults: {} })
    assert.deepEqual(tableOf(entry(sql)), { schema: 's', name })

    const schema = 'p; Type: VIEW; Schema: q; Owner: me'
    const table = `CREATE TABLE ${quote(schema)}.t ();\nALTER TABLE ${quote(schema)}.t OWNER TO joe;`
    const [other] = split(header('t', 'TABLE', schema) + table)
    assert.deepEqual([other?.name, other?.type, other?.schema, other?.owner], ['t', 'TABLE', schema, 'joe'])
  })

  it('gives an entry the settings that stand before it, and only those it needs', () => {
    const found = split(
      `SET default_tablespace = '';\n\nSET default_table_access_method = heap;\n${header('t', 'TABLE')}` +
        `CREATE TABLE public.t ();\n\n\nSET default_tablespace = "sp;ace\n";\n${header('i', 'INDEX')}CREATE INDEX i ON public.t USING btree (a);\n` +
        `${header('f()', 'FUNCTION')}SELECT 1;`,
    )
    assert.deepEqual(found.map(statementsOf), [
      `SET default_tablespace = '';\nSET default_table_access_method = heap;\nCREATE TABLE public.t ();`,
      `SET default_tablespace = "sp;ace\n";\nCREATE INDEX i ON public.t USING btree (a);`,
      'SELECT 1;',
    ])
  })

  it('leaves out what owns nothing: no schema, no owner', () => {
    const [found] = split(header('EXTENSION x', 'COMMENT', '-', '') + `COMMENT ON EXTENSION x IS 'y';`)
    assert.deepEqual([found?.schema, found?.owner], [undefined, undefined])
  })

  it('refuses a text that is cut off', () => {
    for (const open of [`'x`, `E'\\'`, `"x`, '$a$ $b$', '/* /* */']) {
      assert.throws(() => split(`${header('t', 'TABLE')}SELECT ${open}`), { code: 'pg-dump-failed' })
    }
  })

  it('reads long literals', () => {
    const sql = `COMMENT ON TABLE public.t IS '${`it''s `.repeat(1_000_000)}';`
    assert.equal(split(header('TABLE t', 'COMMENT') + sql)[0]?.sql, sql)
  })
})

describe('roles in a schema entry', () => {
  const body = `CREATE FUNCTION public.f(begin integer) RETURNS integer LANGUAGE sql
    BEGIN ATOMIC
 SELECT CASE WHEN true THEN 1 ELSE 2 END AS x;
 SELECT f.begin;
END;`

  it('are dropped with their statements, but not out of a body', () => {
    const owned = `${body}\n\n\nALTER FUNCTION public.f(begin integer) OWNER TO "J""o";`
    assert.equal(withoutOwner(entry(owned, 'FUNCTION')).sql, body)
    const quoting = `CREATE FUNCTION public.g() RETURNS void LANGUAGE sql AS $$ ALTER TABLE t OWNER TO joe; $$;`
    assert.equal(withoutOwner(entry(quoting, 'FUNCTION')).sql, quoting)
    const operator = `CREATE OPERATOR public.#1 (FUNCTION = f);`
    assert.equal(
      withoutOwner(entry(`${operator}\n\nALTER OPERATOR public.#1 (NONE, bigint) OWNER TO joe;`)).sql,
      operator,
    )
  })

  it('are mapped at once wherever they stand, and nowhere else', () => {
    const roles = new Map([
      ['joe', 'ann'],
      ['ann', 'joe'],
      ['T"o', 'é'],
    ])
    const cases: [string, string, string[]][] = [
      ['ALTER TABLE joe.joe OWNER TO joe;', 'ALTER TABLE joe.joe OWNER TO "ann";', ['joe']],
      ['ALTER LARGE OBJECT 42 OWNER TO ann;', 'ALTER LARGE OBJECT 42 OWNER TO "joe";', ['ann']],
      [
        'GRANT SELECT(joe) ON TABLE joe.joe TO joe,"T""o" WITH GRANT OPTION GRANTED BY ann;',
        'GRANT SELECT(joe) ON TABLE joe.joe TO "ann",U&"\\00e9" WITH GRANT OPTION GRANTED BY "joe";',
        ['joe', 'T"o', 'ann'],
      ],
      [
        'SET SESSION AUTHORIZATION joe;\nGRANT ALL ON FUNCTION public.f(joe) TO PUBLIC;\nRESET SESSION AUTHORIZATION;',
        'SET SESSION AUTHORIZATION "ann";\nGRANT ALL ON FUNCTION public.f(joe) TO PUBLIC;\nRESET SESSION AUTHORIZATION;',
        ['joe'],
      ],
      [
        'REVOKE GRANT OPTION FOR ALL ON SCHEMA joe FROM joe;',
        'REVOKE GRANT OPTION FOR ALL ON SCHEMA joe FROM "ann";',
        ['joe'],
      ],
      [
        'ALTER DEFAULT PRIVILEGES FOR ROLE joe IN SCHEMA joe REVOKE ALL ON TABLES FROM PUBLIC;\nALTER DEFAULT PRIVILEGES FOR ROLE joe GRANT SELECT ON TABLES TO other;',
        'ALTER DEFAULT PRIVILEGES FOR ROLE "ann" IN SCHEMA joe REVOKE ALL ON TABLES FROM PUBLIC;\nALTER DEFAULT PRIVILEGES FOR ROLE "ann" GRANT SELECT ON TABLES TO other;',
        ['joe', 'other'],
      ],
      [
        `CREATE POLICY joe ON joe.joe AS RESTRICTIVE FOR SELECT TO joe, ann USING ((a = 'joe'::text));`,
        `CREATE POLICY joe ON joe.joe AS RESTRICTIVE FOR SELECT TO "ann", "joe" USING ((a = 'joe'::text));`,
        ['joe', 'ann'],
      ],
      ['CREATE POLICY p ON joe.joe USING (true);', 'CREATE POLICY p ON joe.joe USING (true);', []],
      [
        `CREATE USER MAPPING FOR joe SERVER joe OPTIONS (joe 'joe');`,
        `CREATE USER MAPPING FOR "ann" SERVER joe OPTIONS (joe 'joe');`,
        ['joe'],
      ],
      ['CREATE USER MAPPING FOR public SERVER joe;', 'CREATE USER MAPPING FOR public SERVER joe;', []],
      ['CREATE SCHEMA joe AUTHORIZATION joe;', 'CREATE SCHEMA joe AUTHORIZATION "ann";', ['joe']],
      [`COMMENT ON TABLE joe.joe IS 'GRANT x TO joe;';`, `COMMENT ON TABLE joe.joe IS 'GRANT x TO joe;';`, []],
      [body, body, []],
    ]
    for (const [sql, mapped, named] of cases) {
      assert.equal(mapRoles(entry(sql), roles).sql, mapped)
      assert.deepEqual([...rolesOf(entry(sql))], named)
    }
    assert.equal(mapRoles({ ...entry('SELECT 1;'), owner: 'joe' }, roles).owner, 'ann')
  })
})

describe('the table of a schema entry', () => {
  it('is parsed out of its SQL', () => {
    const table = `"S"".x".t`
    const belonging = [
      `CREATE UNLOGGED TABLE ${table} (a integer);`,
      `CREATE FOREIGN TABLE ${table} (a integer) SERVER s;`,
      `CREATE MATERIALIZED VIEW ${table} AS SELECT 1 WITH NO DATA;`,
      `CREATE UNIQUE INDEX i ON ONLY ${table} USING btree (a);`,
      `ALTER TABLE ONLY ${table}\n    ADD CONSTRAINT c PRIMARY KEY (a);`,
      `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;`,
      `ALTER TABLE ${table} ALTER COLUMN a ADD GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME s.q);`,
      `ALTER TABLE ONLY p.parent ATTACH PARTITION ${table} FOR VALUES FROM (1) TO (2);`,
      `ALTER SEQUENCE s.q OWNED BY ${table}."a.b";`,
      `ALTER PUBLICATION p ADD TABLE ONLY ${table};`,
      `CREATE TRIGGER "on" BEFORE UPDATE OF "ON", b ON ${table} FOR EACH ROW EXECUTE FUNCTION s.f();`,
      `CREATE CONSTRAINT TRIGGER c AFTER INSERT ON ${table} FROM s.other DEFERRABLE FOR EACH ROW EXECUTE FUNCTION s.f();`,
      `CREATE RULE r AS\n    ON INSERT TO ${table} DO INSTEAD (SELECT 1; NOTIFY x);`,
      `CREATE OR REPLACE VIEW ${table} AS\n SELECT 1;`,
      `CREATE POLICY p ON ${table} TO joe USING (true);`,
      `CREATE STATISTICS s.st (dependencies) ON a, (b + 1) FROM ${table};`,
      `COMMENT ON COLUMN ${table}.a IS 'x';`,
      `COMMENT ON TRIGGER "on" ON ${table} IS 'x';`,
      `COMMENT ON MATERIALIZED VIEW ${table} IS 'x';`,
      `SET SESSION AUTHORIZATION joe;\nGRANT SELECT(a) ON TABLE ${table} TO ann;`,
      `SECURITY LABEL FOR selinux ON COLUMN ${table}.a IS 'x';`,
      `REFRESH MATERIALIZED VIEW ${table};`,
    ]
    for (const sql of belonging) assert.deepEqual(tableOf(entry(sql)), { schema: 'S".x', name: 't' }, sql)
    const others = [
      'CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION s.f();',
      'ALTER INDEX s.i ATTACH PARTITION s.j;',
      'CREATE SEQUENCE s.q;\n\nALTER TABLE s.q OWNER TO joe;',
      `COMMENT ON CONSTRAINT c ON DOMAIN s.d IS 'x';`,
      'GRANT ALL ON SEQUENCE s.q TO joe;',
      'CREATE FUNCTION s.f() RETURNS TABLE(a integer) LANGUAGE sql AS $$SELECT 1$$;',
    ]
    for (const sql of others) assert.equal(tableOf(entry(sql)), undefined, sql)
  })

  it('reads without lz4 as if nobody had asked for it', () => {
    const table =
      "CREATE TABLE s.t (\n    a text DEFAULT '\nALTER TABLE ONLY s.t ALTER COLUMN a SET COMPRESSION lz4;\n'\n);"
    const pglz = '\nALTER TABLE ONLY s.t ALTER COLUMN b SET COMPRESSION pglz;'
    const lz4 = '\nALTER TABLE ONLY s.t ALTER COLUMN a SET COMPRESSION lz4;'
    const owner = '\n\n\nALTER TABLE s.t OWNER TO joe;'
    assert.equal(withoutLz4(entry(table + lz4 + pglz + lz4 + owner)).sql, table + pglz + owner)
    const other = entry(table + pglz + owner)
    assert.deepEqual(withoutLz4(other), other)
  })
})

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
