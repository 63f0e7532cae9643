import { z } from 'zod'
import { type BackupReference, backupReference, backupReferenceHelp } from '../backup-reference.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { flag, jobs, text } from '../option-types.ts'

const proveOptions = z
  .strictObject({
    backup: backupReference.optional(),
    database: text.optional(),
    on: text.optional(),
    jobs: jobs.optional(),
    keep: flag,
  })
  .refine(
    ({ backup, database }) => backup === undefined || database === undefined,
    'BACKUP and --database exclude each other',
  )
  .transform(({ backup, database, ...options }) => ({
    ...options,
    backup: backup ?? ({ kind: 'latest', database } satisfies BackupReference),
  }))
export type ProveOptions = z.output<typeof proveOptions>

async function prove(_options: ProveOptions, _context: CommandContext): Promise<Outcome> {
  throw new Error('not wired yet')
}

export const proveCommand = defineCommand({
  name: 'prove',
  summary: 'restore a backup into a scratch server and compare everything',
  description:
    'Restores a backup into a throw-away PostgreSQL of a fitting version, reads every table back, and compares rows, content hashes, sequences, large objects, extensions and definitions with what was backed up; then runs the assertions of pgrevive.yaml. The outcome is stored in the repository: list shows it. A backup that differs is refuted, with exit code 7.',
  arguments: [
    { key: 'backup', name: 'BACKUP', presence: 'optional', help: `${backupReferenceHelp} (default: latest)` },
  ],
  options: [
    { flags: '--database <NAME>', help: 'the latest backup of this database' },
    { flags: '--on <URL>', help: 'a scratch database on this server instead of a scratch server' },
    { flags: '--jobs <N>', help: 'connections that work at the same time (default: cores, at most 4)' },
    { flags: '--keep', help: 'leave the scratch database running, and say where' },
  ],
  examples: [
    { command: 'pgrevive prove', meaning: 'the newest backup' },
    { command: 'pgrevive prove --database shop', meaning: 'the newest backup of a database' },
    { command: 'pgrevive prove latest --on postgres://postgres@staging.internal', meaning: 'on a server of yours' },
  ],
  schema: proveOptions,
  run: prove,
})
