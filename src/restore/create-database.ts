import type { DatabaseProperties } from '../postgres/catalog/database.ts'
import type { Connection } from '../postgres/wire/connection.ts'
import { createDatabaseStatement } from '../postgres/sql/database-statements.ts'
import { sqlStateOf } from '../postgres/wire/postgres-error.ts'

export interface CreateOptions {
  /** undefined: whoever connects owns it. */
  readonly owner: string | undefined
  readonly tablespaces: boolean
  /** When the server does not know the locale: use C and say so, rather than fail. For proofs, where only content counts. */
  readonly onUnknownLocale?: ((locale: string) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/** Creates an empty database with the encoding and the locale that the manifest names. */
export async function createDatabase(
  connection: Connection,
  name: string,
  properties: DatabaseProperties,
  options: CreateOptions,
): Promise<void> {
  try {
    await connection.execute(
      createDatabaseStatement(name, properties, options, connection.serverVersionNumber),
      options,
    )
  } catch (error) {
    // 42809 wrong_object_type and 22023 invalid_parameter_value: "invalid locale name", "could not open collator"
    const unknown = ['42809', '22023', '0A000'].includes(sqlStateOf(error) ?? '')
    if (!unknown || !options.onUnknownLocale) throw error
    options.onUnknownLocale(properties.locale ?? properties.collate)
    const withoutLocale = { ...properties, localeProvider: 'libc', collate: 'C', ctype: 'C' } as const
    await connection.execute(
      createDatabaseStatement(name, withoutLocale, options, connection.serverVersionNumber),
      options,
    )
  }
}
