import { z } from 'zod'
import { shellWord } from '../../core/text/shell-word.ts'
import { type Progress, type Run, run as runShape } from '../../shapes/run.ts'
import { json } from '../state/json-column.ts'

const texts = json(z.array(z.string()))
const shape = runShape.shape

/** A row of the table `run`, without its result. */
export const runRow = z.object({
  id: shape.id,
  command: shape.command,
  arguments: texts,
  databases: texts,
  repositories: texts,
  exclusions: texts,
  servers: texts,
  schedule: shape.schedule,
  cause: shape.cause,
  requested_by: shape.by,
  again_of: z.string().nullable(),
  canceled_by: z.string().nullable(),
  state: shape.state,
  due_at: shape.dueAt,
  created_at: shape.createdAt,
  started_at: shape.startedAt,
  ended_at: shape.endedAt,
  pid: z.int().nullable(),
  pid_started: z.int().nullable(),
  exit_code: shape.exitCode,
  error: json(shape.error.unwrap()).nullable(),
  backups: texts,
  warnings: shape.warnings,
})
export type RunRow = z.output<typeof runRow>

export const runColumns = Object.keys(runRow.shape)
  .map((column) => `run.${column}`)
  .join(', ')

export function toRun(row: RunRow, progress: Progress | undefined): Run {
  return {
    id: row.id,
    command: row.command,
    commandLine: ['pgrevive', row.command, ...row.arguments].map(shellWord).join(' '),
    databases: row.databases,
    repositories: row.repositories,
    schedule: row.schedule,
    cause: row.cause,
    by: row.requested_by,
    state: row.state,
    dueAt: row.due_at,
    createdAt: row.created_at,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    exitCode: row.exit_code,
    error: row.error,
    backups: row.backups,
    warnings: row.warnings,
    progress: progress ?? null,
  }
}
