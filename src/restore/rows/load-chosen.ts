import type { OnProgress } from '../../core/progress.ts'
import { loadRows } from '../../postgres/copy/load-rows.ts'
import type { QualifiedName } from '../../repository/backups/manifest.ts'
import { textEncodingOf, withEncoding } from '../connect-for-text.ts'
import type { ChosenTable } from './chosen-tables.ts'
import type { RowsSession } from './rows-session.ts'

interface LoadOptions {
  /** The table was made in the same transaction. */
  readonly freeze: boolean
  readonly where?: string | undefined
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** Loads all rows of a table of the backup into one that has its columns. */
export async function loadChosen(
  { connection, reader, manifest, tables }: RowsSession,
  table: ChosenTable,
  into: QualifiedName,
  { freeze, where, onProgress, signal }: LoadOptions,
): Promise<void> {
  const total = tables.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = tables.slice(0, tables.indexOf(table)).reduce((sum, { bytes }) => sum + bytes, 0)
  const observed = async function* (pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces) {
      done += piece.length
      onProgress?.({ phase: 'data', unit: 'bytes', done, total, detail: `table ${table.schema}.${table.name}` })
      yield piece
    }
  }
  await withEncoding(connection, manifest.database.encoding, signal)
  for (const { columns, parts } of table.sources) {
    for (const stream of parts) {
      const rows = observed(reader.read(stream, { signal, lent: true }))
      await loadRows(connection, { ...into, columns }, rows, { bytes: stream.bytes, freeze, where, signal })
    }
  }
  await withEncoding(connection, textEncodingOf(manifest), signal)
}
