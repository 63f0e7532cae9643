import { chmodSync, closeSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import type { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { migrations as allMigrations } from './migrations.ts'
import { damagedState, explainSqlite, isBusy } from './sqlite-error.ts'

type Values = Readonly<Record<string, SQLInputValue>>

/** "pgrv": tells file(1) and us whose database it is. */
const applicationId = 0x70677276

/**
 * What the service remembers, in `state.sqlite` of a directory that only its user can read. At most one service works on
 * it. What is committed is durable.
 */
export class State implements Disposable {
  readonly directory: string
  readonly #database: DatabaseSync
  readonly #lock: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  private constructor(directory: string, database: DatabaseSync, lock: DatabaseSync) {
    this.directory = directory
    this.#database = database
    this.#lock = lock
  }

  /**
   * Opens the state, which is made if there is none, and takes it to the newest version; of an older one a copy
   * `state.sqlite.before-N` stays. Rejects with `service-running`, `state-newer`, `state-damaged` or `state-failed`.
   */
  static open(directory: string, { migrations = allMigrations }: { migrations?: readonly string[] } = {}): State {
    const file = join(directory, 'state.sqlite')
    using opened = new DisposableStack()
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      chmodSync(directory, 0o700)
      const lock = opened.use(takeLock(directory))
      createPrivately(file) // its -wal and -shm get the same mode
      const database = opened.use(new DatabaseSync(file, { timeout: 5000 }))
      refuseUnfit(database, file, migrations.length)
      database.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on')
      migrate(database, file, migrations)
      opened.move()
      return new State(directory, database, lock)
    } catch (error) {
      throw explainSqlite(error, file)
    }
  }

  /** For a library that speaks SQL itself. It must leave no transaction open while it waits. */
  get connection(): DatabaseSync {
    return this.#database
  }

  /** Rows of a query, each as `row` reads it. */
  all<Row extends z.ZodType>(row: Row, sql: string, values: Values = {}): z.output<Row>[] {
    return this.#prepare(sql)
      .all(values)
      .map((found) => row.parse(found))
  }

  /** The first row of a query. */
  first<Row extends z.ZodType>(row: Row, sql: string, values: Values = {}): z.output<Row> | undefined {
    const found = this.#prepare(sql).get(values)
    return found === undefined ? undefined : row.parse(found)
  }

  /** Runs a statement and returns how many rows it changed. */
  change(sql: string, values: Values = {}): number {
    return Number(this.#prepare(sql).run(values).changes)
  }

  /** All or nothing of what `work` changes; within another transaction it is a part of that one. It can not wait for anything. */
  transaction<Result>(work: () => Result): Result {
    if (this.#database.isTransaction) return work()
    this.#database.exec('begin immediate')
    try {
      const result = work()
      this.#database.exec('commit')
      return result
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('rollback')
      throw error
    }
  }

  [Symbol.dispose](): void {
    this.#statements.clear()
    this.#database.close()
    this.#lock.close()
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known) return known
    const statement = this.#database.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}

/** A lock of the kernel, which goes with the process however that ends, and which other containers see, too. */
function takeLock(directory: string): DatabaseSync {
  using opened = new DisposableStack()
  const file = join(directory, 'service.lock')
  createPrivately(file)
  const lock = opened.use(new DatabaseSync(file, { timeout: 0 }))
  try {
    lock.exec('begin exclusive')
  } catch (error) {
    if (!isBusy(error)) throw error
    throw new AppError('service-running', `another service of pgrevive works on ${directory}`, {
      cause: error,
      hint: 'end that one first, or give this one a state of its own with --state; nothing was touched',
    })
  }
  opened.move()
  return lock
}

/** Never opens one that is there: to close it again would release every lock that this process has on it (fcntl(2)). */
function createPrivately(file: string): void {
  try {
    closeSync(openSync(file, 'ax', 0o600))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}

function refuseUnfit(database: DatabaseSync, file: string, newest: number): void {
  const version = pragma(database, 'user_version')
  const isOurs = pragma(database, 'application_id') === applicationId
  if (isOurs && version > newest) {
    throw new AppError(
      'state-newer',
      `the state in "${file}" is of version ${version}, and this pgrevive knows ${newest}`,
      {
        hint: `update pgrevive; or put "${file}.before-${newest + 1}" in its place, which lacks what came later. The backups are in the repositories, and nothing was touched`,
      },
    )
  }
  const isEmpty = database.prepare('select 1 from sqlite_schema').get() === undefined
  if (isEmpty && version === 0) return
  if (!isOurs) throw damagedState(file, 'it is a database of something else')
  const found = database.prepare('pragma quick_check(1)').get()?.['quick_check']
  if (found !== 'ok') throw damagedState(file, String(found))
}

/** Each step with its number in one transaction: what was stopped in between begins again. */
function migrate(database: DatabaseSync, file: string, migrations: readonly string[]): void {
  const version = pragma(database, 'user_version')
  if (version === migrations.length) return
  if (version > 0) copyBefore(database, `${file}.before-${version + 1}`)
  database.exec('begin exclusive')
  try {
    for (const migration of migrations.slice(version)) database.exec(migration)
    database.exec(`pragma user_version = ${migrations.length}; pragma application_id = ${applicationId}; commit`)
  } finally {
    if (database.isTransaction) database.exec('rollback')
  }
}

function copyBefore(database: DatabaseSync, copy: string): void {
  const unfinished = `${copy}.unfinished`
  rmSync(unfinished, { force: true })
  createPrivately(unfinished)
  database.prepare('vacuum into ?').run(unfinished)
  renameSync(unfinished, copy)
}

function pragma(database: DatabaseSync, name: string): number {
  return Number(database.prepare(`pragma ${name}`).get()?.[name])
}
