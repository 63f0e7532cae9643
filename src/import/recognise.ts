/** What is around a dump, told by its first bytes and never by its name. */
export type Wrapping = 'openssl' | 'gzip' | 'zstd'
/** pg_dump's formats that are one file. */
export type FileFormat = 'plain' | 'custom' | 'tar'

export type Recognised =
  | { readonly kind: 'wrapping'; readonly wrapping: Wrapping }
  | { readonly kind: 'dump'; readonly format: FileFormat }
  /** `what` it is instead, in words, and what to do. */
  | { readonly kind: 'other'; readonly what: string; readonly hint: string }

/** As many bytes as are needed to recognise any of them: a tar header. */
export const headBytes = 512

const wrappings: readonly (readonly [Wrapping, Buffer])[] = [
  ['openssl', Buffer.from('Salted__')],
  ['gzip', Buffer.from([0x1f, 0x8b, 0x08])],
  ['zstd', Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
]

const others: readonly (readonly [Buffer, what: string, hint: string])[] = [
  [Buffer.from('BZh'), 'compressed with bzip2', 'unpack it with "bzip2 -d", and import what comes out'],
  [
    Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a]),
    'compressed with xz',
    'unpack it with "xz -d", and import what comes out',
  ],
  [Buffer.from([0x04, 0x22, 0x4d, 0x18]), 'compressed with lz4', 'unpack it with "lz4 -d", and import what comes out'],
  [Buffer.from('PK\x03\x04'), 'a zip file', 'unpack it, and import what comes out'],
  [
    Buffer.from('U2FsdGVkX1'),
    'encrypted by OpenSSL as base64',
    'decode it with "openssl base64 -d", and import what comes out',
  ],
  [Buffer.from('age-encryption.org/'), 'encrypted with age', 'decrypt it with "age -d", and import what comes out'],
  [Buffer.from('-----BEGIN '), 'encrypted or signed with another tool', 'decrypt it, and import what comes out'],
]

/** `head`: the first `headBytes`, or all there are. */
export function recognise(head: Buffer): Recognised {
  const wrapping = wrappings.find(([, magic]) => startsWith(head, magic))?.[0]
  if (wrapping) return { kind: 'wrapping', wrapping }
  if (startsWith(head, Buffer.from('PGDMP'))) return { kind: 'dump', format: 'custom' }
  if (head.toString('latin1', 257, 262) === 'ustar') return { kind: 'dump', format: 'tar' }
  const text = head.toString('latin1')
  if (/^(?:\xef\xbb\xbf)?--\r?\n-- PostgreSQL database dump\r?\n--/.test(text)) return { kind: 'dump', format: 'plain' }
  if (text.includes('-- PostgreSQL database cluster dump')) {
    const hint =
      'dump each database by itself with pg_dump; roles come along when a server is backed up with "pgrevive backup --all"'
    return { kind: 'other', what: 'a dump of a whole server, by pg_dumpall', hint }
  }
  const other = others.find(([magic]) => startsWith(head, magic))
  if (other) return { kind: 'other', what: other[1], hint: other[2] }
  const hint = 'pg_dump writes the formats plain, custom, directory and tar; nothing else can be imported'
  return { kind: 'other', what: 'no dump of pg_dump', hint }
}

function startsWith(head: Buffer, magic: Buffer): boolean {
  return head.subarray(0, magic.length).equals(magic)
}
