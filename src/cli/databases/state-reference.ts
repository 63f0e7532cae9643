import { z } from 'zod'
import { type BackupReference, backupReference } from '../repositories/backup-reference.ts'
import { isConninfo } from './database-target.ts'

/** What a backup is compared with: another one, or a database as it is now. */
export type StateReference =
  | BackupReference
  | { readonly kind: 'live'; /** A configured name or a connection string. */ readonly database: string | undefined }

const expected = 'must be a backup, "live", "live:DATABASE", or a connection string such as postgres://host/name'

/** A connection string may hold a password: it is in no message. */
export const stateReference = z.string().transform((text, context): StateReference => {
  if (text === 'live') return { kind: 'live', database: undefined }
  if (text.startsWith('live:') && text.length > 'live:'.length) {
    return { kind: 'live', database: text.slice('live:'.length) }
  }
  const backup = backupReference.safeParse(text)
  if (backup.success) return backup.data
  if (isConninfo(text)) return { kind: 'live', database: text }
  context.addIssue(expected)
  return z.NEVER
})

export const stateReferenceHelp =
  'another backup; or "live" for the database of pgrevive.yaml that A was taken from, "live:DATABASE" for another one of it, or postgres://… or "host=… dbname=…"'
