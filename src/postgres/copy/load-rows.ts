import { type CopySource, copyTarget } from '../catalog/tables.ts'
import type { Connection } from '../wire/connection.ts'
import { quoteRegclass } from '../sql/quote.ts'
import { RowEncoder, binaryHeader, binaryTrailer } from './row-encoder.ts'

export interface LoadRowsOptions {
  /** Of the text, about: a few rows are not worth a look at the types of the columns. */
  readonly bytes: number
  /** The table was made or emptied in the same transaction. */
  readonly freeze: boolean
  /** Only rows that it holds for, an expression of COPY's WHERE. */
  readonly where?: string | undefined
  readonly signal?: AbortSignal | undefined
}

const worthwhileBytes = 512 * 1024

/** Loads COPY text, which may be cut anywhere, in the binary format as far as that can be done. Closes `rows` in any case. */
export async function loadRows(
  connection: Connection,
  table: CopySource,
  rows: AsyncIterable<Uint8Array>,
  { bytes, freeze, where, signal }: LoadRowsOptions,
): Promise<void> {
  const copy = (...options: string[]) => {
    const all = freeze ? [...options, 'FREEZE'] : options
    const list = all.length > 0 ? ` (${all.join(', ')})` : ''
    return `COPY ${copyTarget(table, connection)} FROM STDIN${list}${where === undefined ? '' : ` WHERE ${where}`}`
  }
  const encoder = bytes < worthwhileBytes ? undefined : await encoderFor(connection, table, signal)
  if (!encoder) return connection.copyIn(copy(), rows, { signal })
  const pieces = rows[Symbol.asyncIterator]()
  try {
    await connection.copyIn(copy('FORMAT binary'), binaryRows(pieces, encoder), { signal })
    const { rest } = encoder
    if (rest.length > 0) await connection.copyIn(copy(), otherRows(rest, pieces), { signal })
  } finally {
    await pieces.return?.()
  }
}

async function* binaryRows(pieces: AsyncIterator<Uint8Array>, encoder: RowEncoder): AsyncGenerator<Uint8Array> {
  yield binaryHeader
  while (!encoder.hasGivenUp) {
    const next = await pieces.next()
    if (next.done) break
    yield* encoder.encode(next.value)
  }
  yield binaryTrailer
}

async function* otherRows(rest: Uint8Array, pieces: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield rest
  for (let next = await pieces.next(); !next.done; next = await pieces.next()) yield next.value
}

async function encoderFor(
  connection: Connection,
  { schema, name, columns }: CopySource,
  signal: AbortSignal | undefined,
): Promise<RowEncoder | undefined> {
  const found = await connection.query(receiveFunctions(quoteRegclass(schema, name, connection)), { signal })
  const functions = new Map(found.map(([column, receive]) => [column, receive ?? '']))
  return RowEncoder.for(columns.map((column) => functions.get(column) ?? ''))
}

/** Of PostgreSQL's own types and of enums, and of the types that domains are made of. */
const receiveFunctions = (regclass: string) => `
  WITH RECURSIVE columns (name, type) AS (
    SELECT attname, atttypid FROM pg_catalog.pg_attribute
    WHERE attrelid OPERATOR(pg_catalog.=) ${regclass}::pg_catalog.regclass
      AND attnum OPERATOR(pg_catalog.>) 0 AND NOT attisdropped
    UNION ALL
    SELECT c.name, t.typbasetype FROM columns c JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) c.type
    WHERE t.typtype OPERATOR(pg_catalog.=) 'd')
  SELECT c.name, p.proname FROM columns c
    JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) c.type
    JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) t.typreceive
  WHERE t.typtype OPERATOR(pg_catalog.=) 'e' OR (t.typtype OPERATOR(pg_catalog.=) 'b'
    AND t.typnamespace OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace)`
