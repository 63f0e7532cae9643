import { z } from 'zod'

/** How a person names a backup: by its id or a unique beginning of it, or as the latest one (of a database). */
export type BackupReference =
  { readonly kind: 'id'; readonly prefix: string } | { readonly kind: 'latest'; readonly database: string | undefined }

const expected = 'must be the id of a backup or the beginning of one, "latest", or "latest:DATABASE"'

/** The prefix comes in upper case, as ids are written. The database is a bare name, never a connection string. */
export const backupReference = z.string().transform((text, context): BackupReference => {
  if (text === 'latest') return { kind: 'latest', database: undefined }
  if (text.startsWith('latest:') && text.length > 'latest:'.length) {
    return { kind: 'latest', database: text.slice('latest:'.length) }
  }
  if (/^[0-9A-Za-z]{1,26}$/.test(text)) return { kind: 'id', prefix: text.toUpperCase() }
  context.addIssue(expected)
  return z.NEVER
})

export function describeBackupReference(reference: BackupReference): string {
  if (reference.kind === 'id') return reference.prefix
  return reference.database === undefined ? 'latest' : `latest:${reference.database}`
}

export const backupReferenceHelp =
  'the id of a backup or a unique beginning of it, "latest", or "latest:DATABASE" for the latest of one database'
