import { AppError, type ErrorCode } from '../../core/app-error.ts'

/** What the server says in an ErrorResponse or a NoticeResponse; absent fields were not sent. */
export interface PostgresReport {
  /** Not translated: `ERROR`, `FATAL`, `PANIC`, `WARNING`, `NOTICE`, … */
  readonly severity: string
  readonly sqlState: string
  readonly message: string
  readonly detail?: string
  readonly hint?: string
  /** Counts characters of the statement, from 1. */
  readonly position?: string
  readonly internalQuery?: string
  readonly where?: string
  readonly schema?: string
  readonly table?: string
  readonly column?: string
  readonly dataType?: string
  readonly constraint?: string
  readonly routine?: string
}

/** An ErrorResponse, as the `cause` of an AppError. */
export class PostgresError extends Error implements PostgresReport {
  readonly severity: string
  readonly sqlState: string
  declare readonly detail?: string
  declare readonly hint?: string
  declare readonly position?: string
  declare readonly internalQuery?: string
  declare readonly where?: string
  declare readonly schema?: string
  declare readonly table?: string
  declare readonly column?: string
  declare readonly dataType?: string
  declare readonly constraint?: string
  declare readonly routine?: string

  constructor(report: PostgresReport) {
    super(report.message)
    const { message: _, ...fields } = report
    this.severity = report.severity
    this.sqlState = report.sqlState
    Object.assign(this, fields)
    this.name = 'PostgresError'
  }

  /** Whether the server ends the connection after it. */
  get isFatal(): boolean {
    return this.severity === 'FATAL' || this.severity === 'PANIC'
  }
}

/** The SQLSTATE behind a failure of a connection, if a PostgreSQL server reported it. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof AppError && error.cause instanceof PostgresError ? error.cause.sqlState : undefined
}

/** An ErrorResponse as a failure of pgrevive, while a connection is `starting`, when it is in `use`, or `ended` with it. */
export function translatePostgresError(error: PostgresError, phase: 'starting' | 'use' | 'ended'): AppError {
  const code = codeOf(error, phase)
  const hint = hintsByCode[code] ?? error.hint ?? hints[error.sqlState]
  return new AppError(code, error.message, { ...(hint === undefined ? {} : { hint }), cause: error })
}

function codeOf(error: PostgresError, phase: 'starting' | 'use' | 'ended'): ErrorCode {
  const state = error.sqlState
  // a conflict with recovery has the SQLSTATEs of other things, and a message in the server's language
  if (/^Process(Recovery|Interrupts)/.test(error.routine ?? '') && /^(40001|40P01|55P04)$/.test(state)) {
    return 'standby-conflict'
  }
  if (state === '08P01') {
    // in PgBouncer's words, which are not translated
    if (error.message.startsWith('unsupported startup parameter')) return 'connection-pooled'
    if (/^(no such database|database ".*" does not exist)/.test(error.message)) return 'database-missing'
  }
  if (state.startsWith('28')) return 'authentication-failed'
  if (state === '3D000') return 'database-missing'
  if (state === '42501') return 'permission-denied'
  if (state === '53100') return 'server-full'
  if (state === '53300' || state === '57P03' || phase === 'starting') return 'connection-failed'
  // a session that goes on may tell of another connection that is lost, to a foreign server
  return error.isFatal || phase === 'ended' ? 'connection-lost' : 'query-failed'
}

export const standbyHint =
  'set hot_standby_feedback to on, or max_standby_streaming_delay to longer than a backup takes, on the standby; or back up its primary'

/** These say more than what the server may say. */
const hintsByCode: Readonly<Partial<Record<ErrorCode, string>>> = {
  'standby-conflict': standbyHint,
  'connection-pooled': 'connect to the PostgreSQL server itself, or without the parameter',
  'server-full': 'free space on the disk of the server, and run the same command again',
}

const hints: Readonly<Record<string, string>> = {
  '28P01': 'check PGPASSWORD, ~/.pgpass or the password in the connection string',
  '28000': "check the user name, and the rules in the server's pg_hba.conf",
  '3D000': 'check the name of the database',
  '42501': 'connect as a role that owns the object or has been granted the right to it',
  '53300': 'run fewer jobs, or raise max_connections on the server',
  '53400': 'run fewer jobs, or raise the limit that the server names',
  '57P01': 'an administrator ended the session or stopped the server: try again when it is up',
  '57P02': 'another session of the server crashed: try again, and look into its log',
  '57P03': 'the server is starting up, shutting down or recovering: try again later',
  '57P05': 'idle_session_timeout ended the session',
  '25P03': 'idle_in_transaction_session_timeout ended the session',
  '25P04': 'transaction_timeout ended the session',
}
