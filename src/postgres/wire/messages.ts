import { PostgresError, type PostgresReport } from './postgres-error.ts'

/** How text is turned into bytes on a connection. latin1 means bytes as they are, for SQL_ASCII databases. */
export type WireEncoding = 'utf8' | 'latin1'

/** A message of the server: its type byte and what follows the length. `body` lives as long as somebody holds it. */
export interface Message {
  readonly type: number
  readonly body: Buffer
}

/** The types of messages from the server; see "Message Formats" in PostgreSQL's documentation. */
export const serverMessage = {
  authentication: 0x52,
  backendKeyData: 0x4b,
  copyData: 0x64,
  copyDone: 0x63,
  copyInResponse: 0x47,
  copyOutResponse: 0x48,
  dataRow: 0x44,
  errorResponse: 0x45,
  negotiateProtocolVersion: 0x76,
  noticeResponse: 0x4e,
  notificationResponse: 0x41,
  parameterStatus: 0x53,
  readyForQuery: 0x5a,
  rowDescription: 0x54,
} as const

export const headerBytes = 5

/** Any message of either side: type, length, body. */
export function encodeMessage(type: string, ...parts: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(headerBytes, type, 'latin1')
  header.writeUInt32BE(
    parts.reduce((sum, part) => sum + part.length, 4),
    1,
  )
  return Buffer.concat([header, ...parts])
}

/** Throws RangeError for text with a NUL, which would end the string early, or that latin1 can not carry. */
export function encodeCString(text: string, encoding: WireEncoding = 'utf8'): Buffer {
  if (text.includes('\0')) throw new RangeError('PostgreSQL takes no text that holds a NUL character')
  // oxlint-disable-next-line no-control-regex -- the whole range is meant
  if (encoding === 'latin1' && /[^\0-\xff]/.test(text)) {
    throw new RangeError('text for a connection that passes bytes as they are holds a character beyond U+00FF')
  }
  return Buffer.from(`${text}\0`, encoding)
}

export function encodeStartup(parameters: Readonly<Record<string, string>>): Buffer {
  const pairs = Object.entries(parameters).flatMap(([name, value]) => [encodeCString(name), encodeCString(value)])
  return encodeUntyped(196_608, ...pairs, Buffer.alloc(1)) // protocol 3.0
}

export const sslRequest: Buffer = encodeUntyped(80_877_103)

/** `key` is the body of BackendKeyData. */
export function encodeCancelRequest(key: Uint8Array): Buffer {
  return encodeUntyped(80_877_102, key)
}

function encodeUntyped(code: number, ...parts: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(8)
  header.writeUInt32BE(parts.reduce((sum, part) => sum + part.length, 8))
  header.writeUInt32BE(code, 4)
  return Buffer.concat([header, ...parts])
}

/** The column values of a DataRow, as text. */
export function decodeRow(body: Buffer, encoding: WireEncoding): (string | null)[] {
  const values: (string | null)[] = []
  let at = 2
  for (let left = body.readUInt16BE(0); left > 0; left--) {
    const length = body.readInt32BE(at)
    at += 4
    values.push(length < 0 ? null : body.toString(encoding, at, at + length))
    if (length > 0) at += length
  }
  return values
}

/** Strings that end in NUL, as in ParameterStatus or the list of SASL mechanisms; the empty one at an end is left out. */
export function decodeCStrings(body: Buffer, encoding: WireEncoding = 'utf8'): string[] {
  return body.toString(encoding).split('\0').slice(0, -1)
}

const reportFields: Readonly<Record<string, keyof PostgresReport>> = {
  C: 'sqlState',
  M: 'message',
  D: 'detail',
  H: 'hint',
  P: 'position',
  q: 'internalQuery',
  W: 'where',
  s: 'schema',
  t: 'table',
  c: 'column',
  d: 'dataType',
  n: 'constraint',
  R: 'routine',
  V: 'severity',
}

/** An ErrorResponse or NoticeResponse. */
export function decodeReport(body: Buffer, encoding: WireEncoding): PostgresReport {
  const report: Record<keyof PostgresReport, string> | object = {}
  for (const field of decodeCStrings(body, encoding)) {
    const name = reportFields[field[0] ?? '']
    if (name !== undefined) Object.assign(report, { [name]: field.slice(1) })
  }
  return { severity: 'ERROR', sqlState: 'XX000', message: 'the server reported an error without a text', ...report }
}

export function decodeError(body: Buffer, encoding: WireEncoding): PostgresError {
  return new PostgresError(decodeReport(body, encoding))
}
