import { createGunzip, createZstdDecompress } from 'node:zlib'
import { AppError } from '../core/app-error.ts'
import { through } from '../export/compression.ts'
import { ByteReader, damagedDump } from './byte-reader.ts'
import { findDecipher, opensslHeadBytes, usualIterations } from './openssl-encryption.ts'
import { type FileFormat, type Wrapping, headBytes, recognise } from './recognise.ts'

export interface UnwrapOptions {
  /** Asked for once an encrypted file is met; undefined where there is none. */
  readonly passphrase: () => Promise<string | undefined>
  /** Of PBKDF2, where `openssl enc -iter` named another number than its default. */
  readonly iterations?: number | undefined
}

export interface Unwrapped {
  readonly format: FileFormat
  /** From the outside in. */
  readonly wrappings: readonly Wrapping[]
  /** The dump itself. */
  readonly reader: ByteReader
}

const mostWrappings = 4

/**
 * Takes off what is around a dump, as long as its first bytes say that there is something. Throws `dump-damaged` for an
 * empty one, `dump-unknown` for what is none, `dump-passphrase`.
 */
export async function unwrap(source: AsyncIterable<Uint8Array>, options: UnwrapOptions): Promise<Unwrapped> {
  const wrappings: Wrapping[] = []
  let reader = new ByteReader(source)
  for (;;) {
    const head = await reader.peek(headBytes)
    if (head.length === 0)
      throw damagedDump(wrappings.length === 0 ? 'the file is empty' : 'there is nothing in the file')
    const found = recognise(head)
    if (found.kind === 'dump') return { format: found.format, wrappings, reader }
    if (found.kind === 'other') throw new AppError('dump-unknown', `it is ${found.what}`, { hint: found.hint })
    if (wrappings.length === mostWrappings) {
      throw new AppError('dump-unknown', 'it is wrapped too many times', {
        hint: 'unpack it, and import what comes out',
      })
    }
    wrappings.push(found.wrapping)
    reader = new ByteReader(unwrapped(reader, found.wrapping, options))
  }
}

async function* unwrapped(reader: ByteReader, wrapping: Wrapping, options: UnwrapOptions): AsyncGenerator<Uint8Array> {
  const transform = wrapping === 'openssl' ? await decipher(reader, options) : transforms[wrapping]()
  try {
    yield* through(reader.rest(), transform)
  } catch (error) {
    if (error instanceof AppError) throw error
    throw damagedDump(`it can not be ${verbs[wrapping]} to its end: it was cut off or changed`, error)
  }
}

const transforms = { gzip: () => createGunzip(), zstd: () => createZstdDecompress() } as const
const verbs = { openssl: 'decrypted', gzip: 'unpacked', zstd: 'unpacked' } as const

async function decipher(reader: ByteReader, options: UnwrapOptions) {
  const passphrase = await options.passphrase()
  if (passphrase === undefined) {
    throw new AppError('dump-passphrase', 'it is encrypted, and there is no passphrase', {
      hint: 'set PGREVIVE_DUMP_PASSPHRASE or PGREVIVE_DUMP_PASSPHRASE_FILE, or run it on a terminal',
    })
  }
  const found = await findDecipher(await reader.peek(opensslHeadBytes + headBytes), passphrase, {
    iterations: options.iterations ?? usualIterations,
    isExpected: (clear) => recognise(clear).kind !== 'other',
  })
  if (!found) {
    throw new AppError('dump-passphrase', 'the passphrase does not open it, or no dump is in it', {
      hint: 'check the passphrase; openssl enc -aes-256-cbc is understood with and without -pbkdf2, and its -iter with --iterations',
    })
  }
  await reader.read(opensslHeadBytes)
  return found
}
