import { outline } from '../postgres/pg-dump/schema-text.ts'
import type { Token } from '../postgres/sql/sql-tokens.ts'

/** What an import does with a statement of a dump. */
export type Duty =
  /** The database is made already, and has no tablespaces. */
  | 'skip'
  /** Rows follow. */
  | 'copy'
  /** How a session reads what follows. */
  | 'setting'
  /** Brings back an extension. */
  | 'extension'
  /** Waits until everything else is there, and is then run by the superuser, since it runs no code of the dump. */
  | 'owner'
  | 'privilege'
  | 'event trigger'
  /** Run by a role that may do nothing but this. */
  | 'ordinary'

const name = String.raw`#\d+(?: \. #\d+)*`
/** Nothing may follow the object but its new owner: other actions of ALTER TABLE run expressions. */
const ownership = new RegExp(
  String.raw`^ALTER [A-Z ]+ (?:\d+|${name}(?: \( \))?(?: USING #\d+)?|#\d+ \. (?:[^\w\s#(),.;'] )+\( \)) OWNER TO #\d+ ;$`,
)

const duties: readonly (readonly [RegExp, Duty])[] = [
  [/^(CREATE|DROP) DATABASE /, 'skip'],
  [/^SET #\d+ = \S+(?: , \S+)* ;$/, 'setting'],
  [new RegExp(String.raw`^COPY ${name} (?:\( \) )?FROM #\d+ (?:WITH \( \) |ENCODING ' )?;$`), 'copy'],
  [/^CREATE EXTENSION /, 'extension'],
  [/^(?:(?:CREATE|ALTER) EVENT TRIGGER|COMMENT ON EVENT TRIGGER) /, 'event trigger'],
  [ownership, 'owner'],
  [/^(GRANT|REVOKE) .* ON .* (TO|FROM) /, 'privilege'],
  [/^ALTER DEFAULT PRIVILEGES /, 'privilege'],
  [/^ALTER (?:ROLE #\d+ IN )?DATABASE #\d+ SET #\d+(?: \. #\d+)* TO [^;]* ;$/, 'privilege'],
]

/** A library that a setting names runs in every later session. */
const namesLibrary = /librar/i

/** Asked once for each statement. */
export function dutyOf(statement: readonly Token[]): Duty {
  const shape = outline(statement)
  const duty = duties.find(([pattern]) => pattern.test(shape))?.[1] ?? 'ordinary'
  // what looks like one statement to us must be one to the server
  const semicolons = statement.filter(({ kind, text }) => kind === 'symbol' && text === ';').length
  const [, setting] = /^ALTER (?:ROLE|DATABASE) .* SET #(\d+)/.exec(shape) ?? []
  const isSafe = semicolons === 1 && !namesLibrary.test(statement[Number(setting)]?.text ?? '')
  return isSafe ? duty : 'ordinary'
}

/** Runs no expression of the dump, so that the superuser may do it where the ordinary role may not. */
export function isHarmless(statement: readonly Token[]): boolean {
  return harmless.test(outline(statement)) && statement.filter(({ text }) => text === ';').length === 1
}

const harmless =
  /^(COMMENT ON .* IS (?:'|NULL) ;|SECURITY LABEL .* IS ' ;|CREATE SERVER #\d+ .*;|CREATE PUBLICATION #\d+ FOR ALL TABLES .*;|ALTER PUBLICATION #\d+ ADD TABLES IN SCHEMA #\d+ ;)$/

/** After these alone, nothing that an extension's script calls can be the dump's own. */
export function makesNoCode(statement: readonly Token[]): boolean {
  const shape = outline(statement)
  if (/^(SET|CREATE SCHEMA|CREATE COLLATION|ALTER DATABASE|DROP [A-Z ]+ IF EXISTS) [^(]*;$/.test(shape)) return true
  if (/^(CREATE COLLATION|COMMENT ON) /.test(shape)) return true
  return statement.length === 12 && statement[3]?.text === 'set_config'
}

/** A failure of these says that there is nothing to drop, as psql goes on after it: `pg_dump --clean`. */
export function isDrop(statement: readonly Token[]): boolean {
  return /^(DROP |ALTER TABLE .* (DROP CONSTRAINT|DROP DEFAULT|DROP IDENTITY|DETACH PARTITION) ?)/.test(
    outline(statement),
  )
}
