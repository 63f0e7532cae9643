import type { Connection } from '../postgres/wire/connection.ts'
import type { RowDigest } from '../postgres/copy/row-walker.ts'
import type { StreamRef } from '../repository/chunks/stream-ref.ts'

/** Where what is read goes: the session of a backup, or nowhere. */
export interface StreamSink {
  openStream(kind: 'data' | 'meta'): {
    write(bytes: Uint8Array): Promise<void>
    finish(): Promise<StreamRef>
  }
}

/** Stores bytes that are at hand: a schema, a manifest. */
export async function writeStream(sink: StreamSink, kind: 'data' | 'meta', bytes: Uint8Array): Promise<StreamRef> {
  const writer = sink.openStream(kind)
  await writer.write(bytes)
  return writer.finish()
}

/** Stores what a COPY TO STDOUT gives, as it comes. */
export async function copyToStream(
  connection: Connection,
  statement: string,
  sink: StreamSink,
  options: { readonly signal: AbortSignal; readonly onBytes?: (bytes: number) => void },
): Promise<{ stream: StreamRef; digest: RowDigest }> {
  const copy = connection.copyOut(statement, options)
  const writer = sink.openStream('data')
  for await (const piece of copy) {
    options.onBytes?.(piece.length)
    await writer.write(piece)
  }
  return { stream: await writer.finish(), digest: copy.digest }
}
