import type { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { nearestWord } from '../../core/text/suggestion.ts'
import { printable } from '../../core/text/printable.ts'
import type { WantedRun } from '../../service/runs/wanted-run.ts'
import type { runRequest } from '../../shapes/run.ts'

export type RunWish = z.output<typeof runRequest>
export type RestoreWish = Extract<RunWish, { command: 'restore' }>
type Wanted = Pick<WantedRun, 'command' | 'arguments' | 'databases' | 'repositories'>

/** What can be named. */
export interface Names {
  readonly databases: readonly string[]
  /** Those that pgrevive.yaml says how to reach, also while they are gone: a restore may have been killed between two names. */
  readonly reachable: readonly string[]
  readonly repositories: readonly string[]
  readonly refreshes: readonly string[]
  /** The database that a backup is of. */
  readonly databaseOf: (backup: string) => string | undefined
}

/** What is asked for as runs: mostly one, of proofs one for each database. Throws `not-found` and `usage-invalid`. */
export function wantedRuns(wish: RunWish, names: Names): [Wanted, ...Wanted[]] {
  switch (wish.command) {
    case 'backup': {
      const databases = knownOr(wish.databases, names.databases, 'database')
      const comment = wish.comment === undefined ? [] : [`--comment=${wish.comment}`]
      return [wanted('backup', [...comment, ...positional(wish.databases)], databases, names.repositories)]
    }
    case 'prove':
      return proofs(wish, names)
    case 'check': {
      const repositories = knownOr(wish.repositories, names.repositories, 'repository')
      return [wanted('check', [`--level=${wish.level}`, ...repoWords(wish.repositories)], [], repositories)]
    }
    case 'sync': {
      const ends = [wish.from ?? [], wish.to ?? []].flat()
      const repositories = knownOr(ends, names.repositories, 'repository')
      const words = [option('from', wish.from), option('to', wish.to)].flat()
      return [wanted('sync', words, [], repositories)]
    }
    case 'forget': {
      const databases = knownOr(wish.databases, names.databases, 'database')
      const repositories = knownOr(wish.repositories, names.repositories, 'repository')
      const words = [...wish.databases.flatMap((name) => option('database', name)), ...repoWords(wish.repositories)]
      return [wanted('forget', words, databases, repositories)]
    }
    case 'prune': {
      const repositories = knownOr(wish.repositories, names.repositories, 'repository')
      return [wanted('prune', repoWords(wish.repositories), [], repositories)]
    }
    case 'refresh':
      knownOr([wish.refresh], names.refreshes, 'refresh')
      return [wanted('refresh', positional([wish.refresh]), [wish.refresh], [])]
    case 'restore':
      return [wanted('restore', restoreWords(wish, names), [wish.to], names.repositories)]
  }
}

function proofs({ backup, databases }: Extract<RunWish, { command: 'prove' }>, names: Names): [Wanted, ...Wanted[]] {
  if (backup !== undefined) {
    const of = names.databaseOf(backup)
    return [wanted('prove', positional([backup]), of === undefined ? [] : [of], names.repositories)]
  }
  const [first, ...others] = knownOr(databases, names.databases, 'database').map((name) =>
    wanted('prove', option('database', name), [name], names.repositories),
  )
  if (!first) throw new AppError('usage-invalid', 'there is no database to prove a backup of')
  return [first, ...others]
}

/** Of a restore, after "pgrevive restore"; with `plan`, what only tells. */
export function restoreWords(wish: RestoreWish, names: Names, { plan = false } = {}): string[] {
  const { way, to, backup } = wish
  if (wish.repository !== undefined) knownOr([wish.repository], names.repositories, 'repository')
  const isAboutOld = way === 'undo' || way === 'finish' || way === 'resume' || way === 'abort'
  if (isAboutOld !== (backup === undefined)) {
    throw new AppError('usage-invalid', isAboutOld ? `"${way}" takes no backup` : 'no backup is named')
  }
  // Of any other name a run would look on the server of the backup, or on that of libpq's variables.
  if (way !== 'new') knownOr([to], names.reachable, 'database')
  const takesAway = way === 'in-place' || way === 'replace' || way === 'finish' || way === 'abort'
  if (!plan && takesAway && wish.confirm !== to) {
    throw new AppError(
      'usage-invalid',
      `"confirm" must be the name of the database, ${printable(JSON.stringify(to))}`,
      {
        hint: 'it is asked for because what the database holds now is replaced or dropped',
      },
    )
  }
  const confirm = way === 'in-place' || way === 'replace' || way === 'resume' ? option('confirm', wish.confirm) : []
  return [
    ...wayWords(wish),
    `--to=${to}`,
    ...(plan ? ['--plan'] : confirm),
    ...(wish.repository === undefined ? [] : repoWords([wish.repository])),
    ...(isAboutOld ? [] : positional([backup ?? ''])),
  ]
}

function wayWords(wish: RestoreWish): string[] {
  const { way, tables, intoSchema, as, where } = wish
  const whole = [
    wish.owner ? [] : '--no-owner',
    wish.privileges ? [] : '--no-privileges',
    wish.createRoles ? '--create-roles' : [],
  ].flat()
  const hooks = wish.hooks ? [] : ['--no-hooks']
  const safety = wish.safetyBackup ? [] : ['--no-safety-backup']
  const chosen = tables.map((table) => `--table=${quoted(table.schema)}.${quoted(table.name)}`)
  switch (way) {
    case 'new':
      return [...whole, ...hooks, ...chosen]
    case 'in-place':
      return ['--in-place', ...whole, ...hooks, ...safety]
    case 'replace':
      return ['--replace', ...whole, ...hooks]
    case 'rows':
      return [
        ...chosen,
        ...(intoSchema === undefined ? [] : [`--into-schema=${quoted(intoSchema)}`]),
        ...(as === undefined ? [] : [`--as=${quoted(as.schema)}.${quoted(as.name)}`]),
        ...option('where', where),
      ]
    case 'undo':
      return ['--undo', ...hooks]
    case 'finish':
      return ['--finish', ...safety]
    case 'resume':
      return ['--resume', ...hooks, ...safety]
    case 'abort':
      return ['--abort']
  }
}

function wanted(
  command: Wanted['command'],
  words: readonly string[],
  databases: readonly string[],
  repositories: readonly string[],
): Wanted {
  return { command, arguments: words, databases, repositories }
}

/** Those that were named, which must be known, or all. */
function knownOr(named: readonly string[], all: readonly string[], what: string): readonly string[] {
  const unknown = named.find((name) => !all.includes(name))
  if (unknown === undefined) return named.length > 0 ? named : all
  const near = nearestWord(unknown, all)
  const hint = near === undefined ? {} : { hint: `did you mean ${printable(JSON.stringify(near))}?` }
  throw new AppError('not-found', `there is no ${what} ${printable(JSON.stringify(unknown))}`, hint)
}

/** Behind "--": no name is ever read as an option. */
function positional(words: readonly string[]): string[] {
  return words.length === 0 ? [] : ['--', ...words]
}

function option(name: string, value: string | undefined): string[] {
  return value === undefined ? [] : [`--${name}=${value}`]
}

function repoWords(names: readonly string[]): string[] {
  return names.map((name) => `--repo=${name}`)
}

/** As SQL and pg_dump's patterns take a name as it is. */
function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
