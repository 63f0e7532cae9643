import type { Connection } from '../wire/connection.ts'
import { type TextEncoding, quoteLiteral, quoteQualified, quoteRegclass } from '../sql/quote.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

export interface SequenceState {
  readonly schema: string
  readonly name: string
  readonly lastValue: string
  readonly isCalled: boolean
}

/** UNION ALL of more becomes slow to plan. */
const sequencesPerQuery = 200

/**
 * Where the sequences stand. They are not transactional: read after a snapshot was taken, each value is at least what
 * the snapshot's rows have used.
 */
export async function readSequences(
  connection: Connection,
  sequences: readonly { readonly schema: string; readonly name: string }[],
  options: QueryOptions = {},
): Promise<SequenceState[]> {
  const states: SequenceState[] = []
  for (let first = 0; first < sequences.length; first += sequencesPerQuery) {
    const batch = sequences.slice(first, first + sequencesPerQuery)
    const queries = batch.map(
      ({ schema, name }, n) =>
        `SELECT ${n} AS n, last_value::pg_catalog.text, is_called FROM ONLY ${quoteQualified(schema, name, connection)}`,
    )
    const rows = await connection.query(`${queries.join(' UNION ALL ')} ORDER BY n`, options)
    for (const [n, lastValue, isCalled] of rows) {
      const sequence = batch[Number(n)]
      if (sequence && lastValue) {
        states.push({ schema: sequence.schema, name: sequence.name, lastValue, isCalled: isCalled === 't' })
      }
    }
  }
  return states
}

export function setSequenceStatement(
  { schema, name, lastValue, isCalled }: SequenceState,
  connection: TextEncoding,
): string {
  const sequence = quoteRegclass(schema, name, connection)
  return `SELECT pg_catalog.setval(${sequence}, ${quoteLiteral(lastValue)}, ${String(isCalled)})`
}
