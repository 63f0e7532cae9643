/**
 * Every way in which pgrevive can fail, with the exit code a script sees. Codes are never renamed or renumbered.
 *
 * Exit codes: 1 a bug or an unexpected failure, 2 wrong use, 3 PostgreSQL and what it runs in, 4 store or repository, 5 keys,
 * 6 restore, export and import, 7 proof refuted, 8 check found damage, 10 restored without what is damaged,
 * 11 a backup shrank, 12 doctor found trouble, 13 a hook failed, 14 the same command runs already, 15 the service or its
 * state, 130 interrupted.
 * 9 is no failure: diff found a difference, or restore --apply could not insert all that is missing.
 */
export const errorCodes = {
  // wrong use
  'usage-invalid': { exit: 2, meaning: 'a command, option or argument is unknown, missing or malformed' },
  'config-invalid': { exit: 2, meaning: 'pgrevive.yaml can not be read or holds an unknown key or a wrong value' },
  'node-too-old': { exit: 2, meaning: 'Node.js is older than 24' },
  'selection-empty': { exit: 2, meaning: 'a --schema, --table or --database pattern matches nothing' },
  'backup-unknown': { exit: 2, meaning: 'no backup has this id, or several begin with it' },
  'backup-kept': {
    exit: 2,
    meaning: 'the backup is pinned, or the newest whole or proven one of its database, and is not forgotten',
  },
  // PostgreSQL
  'connection-invalid': { exit: 3, meaning: 'the connection settings contradict each other or can not be parsed' },
  'connection-failed': { exit: 3, meaning: 'the server can not be reached or refuses connections' },
  'connection-lost': { exit: 3, meaning: 'the server ended the connection, or it broke, while work was under way' },
  'connection-pooled': { exit: 3, meaning: 'a connection pooler stands between pgrevive and the server' },
  'authentication-failed': { exit: 3, meaning: 'the server refused the user or the password' },
  'tls-failed': { exit: 3, meaning: 'TLS was required and could not be established or verified' },
  'database-missing': { exit: 3, meaning: 'the database does not exist on the server' },
  'server-unsupported': { exit: 3, meaning: 'the server is older than PostgreSQL 13' },
  'permission-denied': { exit: 3, meaning: 'the role may not read or create something that is needed' },
  'query-failed': { exit: 3, meaning: 'PostgreSQL refused a statement' },
  'server-full': { exit: 3, meaning: 'the disk of the server, or of the scratch server, has no space left' },
  'table-locked': { exit: 3, meaning: 'another session kept a table locked, or waited for a lock, for too long' },
  'standby-conflict': { exit: 3, meaning: 'a standby ended the session to follow its primary' },
  'object-changed': { exit: 3, meaning: 'a table was replaced again and again while the backup tried to lock it' },
  'database-unfinished': { exit: 3, meaning: 'the database holds a part of a backup: a restore into it did not end' },
  'pg-dump-missing': { exit: 3, meaning: 'the pg_dump that was asked for is not there or is older than the server' },
  'pg-dump-failed': { exit: 3, meaning: 'pg_dump ended with an error' },
  'postgres-missing': { exit: 3, meaning: 'no PostgreSQL server binaries of a fitting version were found' },
  'postgres-start-failed': { exit: 3, meaning: 'a scratch server could not be started' },
  // containers
  'engine-unreachable': { exit: 3, meaning: 'no container engine is there, or it does not answer, or lets nobody in' },
  'engine-failed': { exit: 3, meaning: 'the container engine refused a request' },
  'container-missing': { exit: 3, meaning: 'the engine has no such container, or several that may be meant' },
  'container-stopped': { exit: 3, meaning: 'the container does not run, or has ended, or does not become ready' },
  // tunnels
  'tunnel-untrusted': {
    exit: 3,
    meaning: 'the host key of an SSH server is not known, or is not the one that is known',
  },
  'tunnel-denied': { exit: 3, meaning: 'an SSH server refused the login, or to forward a connection' },
  'tunnel-failed': { exit: 3, meaning: 'an SSH server can not be reached, or does not answer' },
  // store and repository
  'store-missing': { exit: 4, meaning: 'the directory, bucket or container does not exist' },
  'store-denied': { exit: 4, meaning: 'the store refused the credentials, or they have no right to read or write' },
  'store-untrusted': { exit: 4, meaning: "the SFTP server's host key is not known, or is not the one that is known" },
  'store-unreachable': { exit: 4, meaning: 'the store can not be reached, or does not answer' },
  'store-failed': { exit: 4, meaning: 'the store refused to read or write' },
  'store-full': { exit: 4, meaning: 'the store has no space left' },
  'object-missing': { exit: 4, meaning: 'an object of the repository is not there' },
  'object-damaged': { exit: 4, meaning: 'an object of the repository is not what was written' },
  'repository-missing': { exit: 4, meaning: 'there is no repository at this place' },
  'repository-exists': { exit: 4, meaning: 'there is a repository at this place already' },
  'repository-newer': { exit: 4, meaning: 'the repository was written by a newer pgrevive' },
  'repository-replaced': { exit: 4, meaning: 'the repository is not the one that the key belongs to' },
  'session-too-old': { exit: 4, meaning: 'the backup took so long that data it relies on may have been removed' },
  // keys
  'key-missing': { exit: 5, meaning: 'no key for this repository was found' },
  'key-invalid': { exit: 5, meaning: 'the key file can not be read as one' },
  'key-wrong': { exit: 5, meaning: 'the key or passphrase does not open this repository' },
  'key-cannot-read': { exit: 5, meaning: 'the key may write backups but not read them' },
  'key-unknown': { exit: 5, meaning: 'the repository has no such key, or several are named so' },
  'key-last': { exit: 5, meaning: 'without this key nobody could read new backups' },
  'dump-passphrase': { exit: 5, meaning: 'the passphrase of an encrypted dump is not there, or does not open it' },
  // restore
  'target-not-empty': { exit: 6, meaning: 'the target database holds objects already' },
  'target-exists': { exit: 6, meaning: 'a database, or a table, of the target name exists already' },
  'target-busy': { exit: 6, meaning: 'sessions, or another restore, keep the database from being replaced' },
  'nothing-to-resume': {
    exit: 6,
    meaning: 'no restore in place of the database was left unfinished, or can be undone',
  },
  'role-missing': { exit: 6, meaning: 'roles that own or may use objects do not exist on the target server' },
  'tablespace-missing': { exit: 6, meaning: 'a tablespace does not exist on the target server' },
  'extension-missing': { exit: 6, meaning: 'an extension is not available on the target server' },
  'restore-failed': { exit: 6, meaning: 'the target refused an object or its rows' },
  // export
  'output-exists': { exit: 6, meaning: 'the file or directory to export to exists already' },
  'output-failed': { exit: 6, meaning: 'what is exported, or told on stdout, could not be written' },
  // import
  'dump-unreadable': { exit: 6, meaning: 'a file or directory to import can not be read' },
  'dump-unknown': { exit: 6, meaning: 'a file to import is no dump of pg_dump, or of a kind that is not understood' },
  'dump-damaged': { exit: 6, meaning: 'a dump is empty, was cut off, or is not what pg_dump wrote' },
  'dump-refused': {
    exit: 6,
    meaning: 'PostgreSQL refused a statement of a dump, or import does not run it for safety',
  },
  // outcomes
  'proof-refuted': { exit: 7, meaning: 'the restored database differs from what was backed up' },
  'restore-incomplete': {
    exit: 10,
    meaning: 'the restore is done, without what is damaged in the repository, as --skip-damaged asked',
  },
  'check-damaged': { exit: 8, meaning: 'check found damaged or missing objects' },
  'backup-shrank': {
    exit: 11,
    meaning: 'a backup holds much less than the one before: no policy forgets any until somebody has acknowledged that',
  },
  'doctor-failed': { exit: 12, meaning: 'doctor found what backups would fail at, or not be safe with' },
  'hook-failed': {
    exit: 13,
    meaning: 'a hook of pgrevive.yaml failed: before the work, which was not begun then, or after it, and it is done',
  },
  'run-overlaps': {
    exit: 14,
    meaning: 'the same command with the same options runs already on this machine, and --no-overlap was given',
  },
  // the service
  'service-running': { exit: 15, meaning: 'another service works on the same state' },
  'service-failed': { exit: 15, meaning: 'the service can not listen, or not go on' },
  'state-newer': { exit: 15, meaning: 'the state of the service was written by a newer pgrevive' },
  'state-damaged': { exit: 15, meaning: 'the state of the service is damaged, or is none' },
  'state-failed': { exit: 15, meaning: 'the state of the service can not be opened' },
  'channel-failed': { exit: 15, meaning: 'a channel did not take what it was sent' },
  'address-refused': {
    exit: 15,
    meaning: 'an address is private, or of this machine, and service.reach_private does not name it',
  },
  'address-unknown': { exit: 15, meaning: 'the name of a server is not known' },
  'run-died': { exit: 15, meaning: 'the process of a run ended without saying how: killed, or out of memory' },
  'run-unknown': { exit: 2, meaning: 'the service knows no such run' },
  // its API
  'service-unreachable': { exit: 15, meaning: 'the service of --server can not be reached, or does not answer as one' },
  'sign-in-needed': { exit: 15, meaning: 'the service knows nobody by the session or token that was sent' },
  'sign-in-failed': { exit: 15, meaning: 'the password, code or link is wrong, or is no longer valid' },
  'access-denied': { exit: 15, meaning: 'the role or token may not do this, or the request came from elsewhere' },
  'tries-exhausted': { exit: 15, meaning: 'too many tries, or too many requests of a kind at the same time' },
  'not-found': { exit: 15, meaning: 'the service has nothing of this name or id' },
  'request-conflict': { exit: 15, meaning: 'somebody else has changed it, or it exists already, or is used' },
  'request-too-large': { exit: 15, meaning: 'the service does not take requests of this size' },
  'change-refused': { exit: 15, meaning: 'a change that is made in pgrevive.yaml itself, not over the API' },
  unexpected: { exit: 1, meaning: 'a bug in the service, whose log tells more under the id that is named' },
  interrupted: { exit: 130, meaning: 'the run was stopped by a signal' },
} as const satisfies Record<string, { exit: number; meaning: string }>

export type ErrorCode = keyof typeof errorCodes

/** A failure that the operator can act on. The message names what failed; the hint is the next step. */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.hint = options.hint
  }
}

export function hasCode(error: unknown, ...codes: ErrorCode[]): error is AppError {
  return error instanceof AppError && codes.includes(error.code)
}

/** Of a code that another process, or an earlier version, has told; undefined for one that is not known. */
export function exitCodeOf(code: string): number | undefined {
  return Object.hasOwn(errorCodes, code) ? errorCodes[code as ErrorCode].exit : undefined
}

/** The text of whatever was thrown, for a message that wraps it. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The same failure with the name of what it happened to in front: "table public.orders: …". */
export function inContext(context: string, error: AppError): AppError
export function inContext(context: string, error: unknown): unknown
export function inContext(context: string, error: unknown): unknown {
  if (!(error instanceof AppError)) return error
  const { code, message, hint, cause } = error
  return new AppError(code, `${context}: ${message}`, { ...(hint === undefined ? {} : { hint }), cause })
}
