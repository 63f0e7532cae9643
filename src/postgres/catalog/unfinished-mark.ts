import type { CommandOptions, Connection } from '../wire/connection.ts'

/** Lies in an existing database while it is being filled; whoever finds it knows that the restore did not end. */
export const markSchema = 'pgrevive_restore_unfinished'

/** A schema of that name. */
export interface UnfinishedMark {
  readonly owner: string
  /** The current role may drop it. */
  readonly mine: boolean
  /** Else it is somebody's schema, and no mark. */
  readonly empty: boolean
  /**
   * It is empty, and belongs to the current role, the owner of the database or a superuser. Anybody else who may create
   * schemas could have made it, and what it says is no reason to leave a backup out.
   */
  readonly trusted: boolean
  /** The id of the backup of what was there before, if its comment names one. */
  readonly safetyBackup: string | undefined
}

/** undefined: no restore into the database was left unfinished. */
export async function readUnfinishedMark(
  connection: Connection,
  options: CommandOptions,
): Promise<UnfinishedMark | undefined> {
  const [mark] = await connection.query(
    `SELECT o.rolname, pg_catalog.pg_has_role(o.oid, 'USAGE'),
       (o.rolsuper OR o.rolname OPERATOR(pg_catalog.=) current_user OR EXISTS (
         SELECT FROM pg_catalog.pg_database d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
           AND d.datdba OPERATOR(pg_catalog.=) o.oid)),
       NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.refobjid OPERATOR(pg_catalog.=) n.oid
           AND e.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass),
       pg_catalog.obj_description(n.oid, 'pg_namespace')
     FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles o ON o.oid OPERATOR(pg_catalog.=) n.nspowner
     WHERE n.nspname OPERATOR(pg_catalog.=) '${markSchema}'`,
    options,
  )
  if (!mark) return undefined
  const [owner, mine, trusted, empty, comment] = mark
  const safetyBackup = /^safety backup ([0-9A-Z]{26})$/.exec(comment ?? '')?.[1]
  const [isMine, isEmpty] = [mine === 't', empty === 't']
  return { owner: owner ?? '', mine: isMine, empty: isEmpty, trusted: isEmpty && trusted === 't', safetyBackup }
}
