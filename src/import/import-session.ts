import { AppError, hasCode, messageOf } from '../core/app-error.ts'
import type { Connection } from '../postgres/wire/connection.ts'
import type { ConnectionTarget } from '../postgres/target/connection-target.ts'
import { fillLargeObjects } from '../postgres/catalog/large-objects.ts'
import type { LargeObjectContents } from '../postgres/copy/large-object-rows.ts'
import { type PostgresReport, sqlStateOf } from '../postgres/wire/postgres-error.ts'
import { quoteIdentifier } from '../postgres/sql/quote.ts'
import { rolesOf } from '../postgres/pg-dump/schema-text.ts'
import { type Token, readTokens, splitStatements } from '../postgres/sql/sql-tokens.ts'
import { existingRoles } from '../restore/target-checks.ts'
import { damagedDump } from './byte-reader.ts'
import { toText } from './dump-database.ts'
import { type Duty, dutyOf, isDrop, isHarmless, makesNoCode } from './dump-statement.ts'
import { isThere, saysMissing } from './forgivable.ts'
import { bytesAsText, connectForImport, createImporter } from './import-connections.ts'
import { largeObjectRows } from './large-object-text.ts'

export interface SessionOptions {
  /** Everything is run by the superuser: the dump may do what it wants with the account of the server. */
  readonly trusted: boolean
  readonly onNote: (note: string) => void
  readonly signal?: AbortSignal | undefined
}

interface Deferred {
  readonly duty: Duty
  readonly sql: string
  readonly searchPath: string | undefined
}

/**
 * Runs what a dump says in a database of a scratch server. Its statements may be anybody's: an ordinary role that owns
 * the database runs them, and owns what they make; owners, privileges and event triggers wait until nothing else is left
 * to run, and are then the superuser's. Roles that are named and missing are made.
 */
export class ImportSession implements AsyncDisposable {
  readonly #superuser: Connection
  readonly #importer: Connection
  readonly #options: SessionOptions
  readonly #roles: Set<string>
  readonly #deferred: Deferred[] = []
  /** Under which old dumps name objects without their schemas. */
  #searchPath: string | undefined
  #hasCode = false
  #leftOutTablespaces = false

  private constructor(superuser: Connection, importer: Connection, roles: Set<string>, options: SessionOptions) {
    this.#superuser = superuser
    this.#importer = importer
    this.#roles = roles
    this.#options = options
  }

  /** `target`: the database, as a superuser; nobody else may use its server. */
  static async open(target: ConnectionTarget, options: SessionOptions): Promise<ImportSession> {
    await using owned = new AsyncDisposableStack()
    const superuser = owned.use(await connectForImport(target, options))
    const roles = await existingRoles(superuser, options)
    const role = options.trusted ? {} : await createImporter(superuser, target.database)
    const onNotice = ({ severity, message }: PostgresReport) => {
      // what a person at psql would have seen
      if (severity === 'WARNING') options.onNote(`PostgreSQL warns: ${message}`)
    }
    const importer = owned.use(await connectForImport({ ...target, ...role }, { ...options, onNotice }))
    owned.move()
    return new ImportSession(superuser, importer, roles, options)
  }

  /** Any number of statements. */
  async run(sql: string): Promise<void> {
    for (const tokens of splitStatements(tokensOf(sql))) {
      const text = sql.slice(tokens[0]?.start, tokens.at(-1)?.end)
      if ((await this.runStatement(text, tokens)) === 'copy') throw damagedDump('there is a COPY without rows')
    }
  }

  /** Returns 'copy' for one whose rows must be handed to `copy`: it was not run. */
  async runStatement(sql: string, tokens: readonly Token[]): Promise<Duty> {
    const duty = dutyOf(tokens)
    if (duty === 'skip' || duty === 'copy') return duty
    await this.#makeRoles(sql)
    if (duty === 'owner' || duty === 'privilege' || duty === 'event trigger') {
      this.#deferred.push({ duty, sql, searchPath: this.#searchPath })
    } else if (duty === 'setting') await this.#set(sql, tokens)
    else await this.#runNow(sql, tokens, duty)
    return duty
  }

  async copy(sql: string, rows: AsyncIterable<Uint8Array>): Promise<void> {
    await this.#explained(sql, () => this.#importer.copyIn(sql, rows, this.#options))
  }

  /** `create`: they are not there yet. */
  async fillLargeObjects(
    objects: AsyncIterable<LargeObjectContents>,
    { create }: { readonly create: boolean },
  ): Promise<void> {
    const made = create ? this.#created(objects) : objects
    await this.#explained('large objects', () => fillLargeObjects(this.#importer, largeObjectRows(made), this.#options))
  }

  /** On the other connection: this one is busy with their contents. */
  async *#created(objects: AsyncIterable<LargeObjectContents>): AsyncGenerator<LargeObjectContents> {
    for await (const object of objects) {
      await this.#superuser.execute(
        `SELECT pg_catalog.lo_create(${object.oid}); ALTER LARGE OBJECT ${object.oid} OWNER TO ${this.#importer.target.user}`,
        this.#options,
      )
      yield object
    }
  }

  /** Gives everything its owners, privileges and event triggers. Nothing of the dump runs any more from here on. */
  async finish(): Promise<void> {
    const importer = this.#importer.target.user
    await this.#importer[Symbol.asyncDispose]()
    // a sequence goes with the table that owns it
    const owners = this.#take('owner')
    const isOfSequence = ({ sql }: Deferred) => sql.startsWith('ALTER SEQUENCE ')
    await this.#runDeferred(owners.filter((it) => !isOfSequence(it)))
    await this.#runDeferred(owners.filter(isOfSequence))
    if (!this.#options.trusted) await this.#runAsSuperuser(`REASSIGN OWNED BY ${importer} TO CURRENT_USER`)
    await this.#runDeferred(this.#take('privilege'))
    if (!this.#options.trusted) await this.#runAsSuperuser(`DROP OWNED BY ${importer}; DROP ROLE ${importer}`)
    await this.#runDeferred(this.#take('event trigger'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#importer[Symbol.asyncDispose]()
    await this.#superuser[Symbol.asyncDispose]()
  }

  #take(duty: Duty): Deferred[] {
    return this.#deferred.filter((it) => it.duty === duty)
  }

  async #runDeferred(statements: readonly Deferred[]): Promise<void> {
    let inForce: string | undefined
    for (const { sql, searchPath } of statements) {
      if (searchPath !== undefined && searchPath !== inForce) await this.#runAsSuperuser(searchPath)
      inForce = searchPath
      await this.#runAsSuperuser(sql)
    }
  }

  async #runAsSuperuser(sql: string): Promise<void> {
    await this.#explained(sql, () => this.#superuser.execute(sql, this.#options))
  }

  async #runNow(sql: string, tokens: readonly Token[], duty: Duty): Promise<void> {
    const bySuperuser = duty === 'extension' && !this.#hasCode
    if (duty === 'ordinary' && !makesNoCode(tokens)) this.#hasCode = true
    try {
      await (bySuperuser ? this.#superuser : this.#importer).execute(sql, this.#options)
    } catch (error) {
      if (isThere(sql, error) || (isDrop(tokens) && saysMissing(error))) return
      if (sqlStateOf(error) !== '42501' || !isHarmless(tokens)) throw this.#explain(sql, error)
      await this.#runAsSuperuser(sql)
      const [, kind, server] = tokens
      if (kind?.text !== 'SERVER' || !server) return
      await this.#runAsSuperuser(`ALTER SERVER ${server.text} OWNER TO ${this.#importer.target.user}`)
    }
  }

  /** Whoever else sends text of the dump must be understood in the same way. */
  async #set(sql: string, [, name, , value]: readonly Token[]): Promise<void> {
    const setting = name?.text.toLowerCase()
    if (setting === 'default_tablespace') {
      if (value?.text !== "''" && !this.#leftOutTablespaces) {
        this.#options.onNote('tablespaces are not kept: everything lies in the default one')
        this.#leftOutTablespaces = true
      }
      return
    }
    if (setting === 'standard_conforming_strings' && !/^'?on'?$/i.test(value?.text ?? '')) {
      throw new AppError('dump-refused', 'it is written for standard_conforming_strings = off', {
        hint: 'make a dump with pg_dump 9.1 or later',
      })
    }
    if (setting === 'search_path') this.#searchPath = sql
    if (setting === 'client_encoding') await this.#useEncoding(value?.text ?? '')
    try {
      await this.#importer.execute(sql, this.#options)
    } catch (error) {
      // of another version of PostgreSQL; psql goes on after it, too
      if (sqlStateOf(error) !== '42704') throw this.#explain(sql, error)
    }
  }

  async #useEncoding(value: string): Promise<void> {
    const encoding = value.replaceAll("'", '').toUpperCase()
    if (!/^[A-Z0-9_]+$/.test(encoding) || withBackslashes.has(encoding)) {
      throw new AppError('dump-refused', `it is written in the encoding ${encoding}`, {
        hint: 'make a dump with --encoding=UTF8',
      })
    }
    await this.#superuser.execute(`SET client_encoding = '${encoding}'`, this.#options)
  }

  async #makeRoles(sql: string): Promise<void> {
    if (!/^(ALTER|GRANT|REVOKE|CREATE (POLICY|USER|SCHEMA))\b/.test(sql)) return
    for (const name of rolesOf({ sql })) {
      if (this.#roles.has(name) || name.startsWith('pg_')) continue
      await this.#superuser.execute(`CREATE ROLE ${quoteIdentifier(name, bytesAsText)}`, this.#options)
      this.#roles.add(name)
    }
  }

  async #explained(sql: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      throw this.#explain(sql, error)
    }
  }

  /** A refusal of PostgreSQL is one of the dump. */
  #explain(sql: string, error: unknown): unknown {
    this.#options.signal?.throwIfAborted()
    if (!hasCode(error, 'query-failed', 'permission-denied', 'database-missing')) return error
    const [line = ''] = sql.split('\n')
    const what = toText(line.length > 100 ? line.slice(0, 100) : line)
    const message = toText(messageOf(error))
    const lacksRight = hasCode(error, 'permission-denied') && !this.#options.trusted
    return new AppError('dump-refused', `${message}, at: ${what}`, {
      cause: error,
      hint: lacksRight
        ? 'an import runs a dump without the rights of a superuser; if whoever made it may do anything with this account, run it again with --trusted'
        : (error.hint ??
          'nothing of it was imported; restore it by hand on a server that has what it needs, and back that up'),
    })
  }
}

/** Client encodings in which the second byte of a character may look like a backslash or a quote. */
const withBackslashes = new Set(['SJIS', 'SHIFT_JIS_2004', 'BIG5', 'GBK', 'UHC', 'GB18030', 'JOHAB'])

function tokensOf(sql: string): Token[] {
  try {
    return [...readTokens(sql)]
  } catch (error) {
    if (hasCode(error, 'pg-dump-failed')) throw damagedDump('a statement of it ends within a quote')
    throw error
  }
}
