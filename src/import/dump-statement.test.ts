import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readStatements } from '../postgres/sql/sql-tokens.ts'
import { dutyOf, isHarmless, makesNoCode } from './dump-statement.ts'

const tokensOf = (sql: string) => readStatements(sql)[0] ?? []

const settings = [
  "ALTER DATABASE library SET search_path TO 'a', 'b';",
  "ALTER DATABASE shop SET lc_messages TO 'C';",
  "ALTER ROLE app IN DATABASE shop SET a.b TO 'c', 'd';",
]

describe('a superuser runs nothing of a dump that may run code', () => {
  for (const sql of [
    'ALTER TABLE public.t OWNER TO app;',
    'ALTER FUNCTION public.f(integer, text) OWNER TO "Odd ; Role";',
    'ALTER OPERATOR public.+ (integer, integer) OWNER TO app;',
    'ALTER OPERATOR CLASS public.c USING btree OWNER TO app;',
    'ALTER LARGE OBJECT 123 OWNER TO app;',
    'ALTER DATABASE shop OWNER TO app;',
    'ALTER SCHEMA "S" OWNER TO app;',
  ]) {
    it(`waits with ${sql}`, () => assert.equal(dutyOf(tokensOf(sql)), 'owner'))
  }

  for (const sql of [
    'ALTER TABLE t ALTER COLUMN c TYPE integer USING evil(), OWNER TO app;',
    'ALTER TABLE t ADD CONSTRAINT c CHECK (evil()), OWNER TO app;',
    'alter table t owner to app;',
    'GRANT app TO other;',
    "ALTER DATABASE shop SET local_preload_libraries TO 'evil';",
    "ALTER ROLE app IN DATABASE shop SET session_preload_libraries TO '/tmp/evil.so';",
    'CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; GRANT ALL ON t TO app; END;',
    'COPY t FROM PROGRAM $$touch /tmp/x$$;',
    "COPY t FROM '/etc/passwd';",
    'DO $$BEGIN END$$;',
  ]) {
    it(`leaves to the ordinary role ${sql}`, () => assert.equal(dutyOf(tokensOf(sql)), 'ordinary'))
  }

  for (const sql of settings) it(`waits with ${sql}`, () => assert.equal(dutyOf(tokensOf(sql)), 'privilege'))

  it('knows what it may take over', () => {
    assert.ok(isHarmless(tokensOf("COMMENT ON EXTENSION hstore IS 'a';")))
    assert.ok(!isHarmless(tokensOf('CREATE CAST (text AS t) WITHOUT FUNCTION;')))
    assert.ok(!isHarmless(tokensOf("CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'x', 'y';")))
  })

  it('knows what comes before extensions', () => {
    for (const sql of [
      'SET check_function_bodies = false;',
      'CREATE SCHEMA app;',
      "SELECT pg_catalog.set_config('search_path', '', false);",
    ]) {
      assert.ok(makesNoCode(tokensOf(sql)), sql)
    }
    for (const sql of ['CREATE OPERATOR public.= (FUNCTION = evil);', 'SELECT public.evil();', 'DO $$BEGIN END$$;']) {
      assert.ok(!makesNoCode(tokensOf(sql)), sql)
    }
  })
})
