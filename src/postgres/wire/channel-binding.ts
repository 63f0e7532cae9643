import { createHash } from 'node:crypto'

/**
 * The channel binding `tls-server-end-point` (RFC 5929): a certificate's hash, by the hash of its signature. Undefined
 * for signatures that have no such hash, like Ed25519's.
 */
export function tlsServerEndPoint(certificate: Uint8Array): Buffer | undefined {
  const hash = signatureHash(certificate)
  return hash === undefined ? undefined : createHash(hash).update(certificate).digest()
}

/** By the dotted names of RFC 8017 and RFC 5758. MD5 and SHA-1 are replaced by SHA-256, as RFC 5929 says. */
const hashes: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.4': 'sha256',
  '1.2.840.113549.1.1.5': 'sha256',
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.113549.1.1.14': 'sha224',
  '1.2.840.10045.4.1': 'sha256',
  '1.2.840.10045.4.3.1': 'sha224',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
}
const rsaPss = '1.2.840.113549.1.1.10'

// Node tells the algorithm only from 24.9 on. Certificate = SEQUENCE { tbs, SEQUENCE { OID, parameters }, signature }
function signatureHash(certificate: Uint8Array): string | undefined {
  const [, algorithm] = elements(elements(certificate)[0])
  const [name, parameters] = elements(algorithm)
  const signature = objectName(name)
  if (signature !== rsaPss) return hashes[signature]
  // RSASSA-PSS-params = SEQUENCE { [0] SEQUENCE { OID of the hash, … }, … }; SHA-1 by default
  const hash = elements(parameters).find((it) => it.tag === 0xa0)
  return hash ? (hashes[objectName(elements(elements(hash)[0])[0])] ?? 'sha256') : 'sha256'
}

interface Element {
  readonly tag: number
  readonly content: Uint8Array
}

function elements(parent: Element | Uint8Array | undefined): Element[] {
  const bytes = parent === undefined || parent instanceof Uint8Array ? (parent ?? new Uint8Array()) : parent.content
  const found: Element[] = []
  for (let at = 0; at + 2 <= bytes.length;) {
    const tag = bytes[at] ?? 0
    const first = bytes[at + 1] ?? 0
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f
    const start = at + 2 + lengthBytes
    const length = lengthBytes === 0 ? first : bytes.subarray(at + 2, start).reduce((sum, byte) => sum * 256 + byte, 0)
    found.push({ tag, content: bytes.subarray(start, start + length) })
    at = start + length
  }
  return found
}

function objectName(element: Element | undefined): string {
  if (element?.tag !== 6) return ''
  const [first = 0, ...rest] = element.content
  const arcs = [Math.floor(first / 40), first % 40] // one byte for both
  let arc = 0
  for (const byte of rest) {
    arc = arc * 128 + (byte & 0x7f)
    if (byte >= 0x80) continue
    arcs.push(arc)
    arc = 0
  }
  return arcs.join('.')
}
