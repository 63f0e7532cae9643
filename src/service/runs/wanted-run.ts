import { AppError } from '../../core/app-error.ts'
import type { Run, RunCommand } from '../../shapes/run.ts'
import type { RunRow } from './run-row.ts'

/** A run that somebody asks for. */
export interface WantedRun {
  readonly command: RunCommand
  /** What comes after the command's name; never a secret, since everyone on the machine can see them. */
  readonly arguments: readonly string[]
  readonly databases: readonly string[]
  readonly repositories: readonly string[]
  readonly schedule?: string
  readonly cause: Run['cause']
  /** The person or token; nobody: the service itself. */
  readonly by?: string
  /** When the schedule wanted it. */
  readonly dueAt?: Date
  /** The run that was interrupted. */
  readonly againOf?: string
}

/** Throws `usage-invalid` for what no process can be given, and for what looks like a password. */
export function checkArguments({ arguments: words }: WantedRun): void {
  if (words.some((word) => word.includes('\0'))) {
    throw new AppError('usage-invalid', 'a run can not be given a text with a NUL', { hint: 'name it otherwise' })
  }
  if (words.some((word) => /:\/\/[^\s:/@]*:[^\s@]+@/.test(word))) {
    throw new AppError('usage-invalid', 'a run can not be given a password', {
      hint: 'name a database of pgrevive.yaml, which says where its password is',
    })
  }
}

/** What a run must have for itself: two that change one database never meet, nor two of the same kind about the same. */
export function exclusionsOf({ command, arguments: words, databases, repositories }: WantedRun): string[] {
  switch (command) {
    case 'backup':
    case 'restore':
      return databases.map((name) => `database ${name}`)
    case 'refresh':
      return [`refresh ${words.join(' ')}`]
    case 'prove':
      return databases.map((name) => `prove ${name}`)
    case 'forget':
    case 'prune':
    case 'check':
      return repositories.map((name) => `${command} ${name}`)
    case 'sync':
    case 'list':
      return [command]
  }
}

/** What reads or writes a database where it is at home; a proof has a server of its own. */
export function loadsServers(command: RunCommand): boolean {
  return command === 'backup' || command === 'restore' || command === 'refresh'
}

/** Whether it is begun again after it was interrupted, without anybody having looked. To list is asked for at each start. */
export function isRepeatable(command: RunCommand): boolean {
  return command !== 'restore' && command !== 'refresh' && command !== 'list'
}

/** What was interrupted, once more. */
export function inPlaceOf(row: RunRow): WantedRun {
  const { id, command, arguments: words, databases, repositories, schedule, requested_by: by, due_at: dueAt } = row
  return {
    command,
    arguments: words,
    databases,
    repositories,
    cause: 'again',
    againOf: id,
    ...(schedule === null ? {} : { schedule }),
    ...(by === null ? {} : { by }),
    ...(dueAt === null ? {} : { dueAt: new Date(dueAt) }),
  }
}
