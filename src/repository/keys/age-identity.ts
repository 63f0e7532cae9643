const alphabet = 'QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L'
const generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]
/** 256 bits in 52 characters of five, and six of checksum. */
const identity = /^(AGE-SECRET-KEY-(?:PQ-)?)1([02-9AC-HJ-NP-Z]{58})$/

/**
 * Whether a text is a native age identity: Bech32 (BIP 173) of 32 bytes, with its checksum. Here and not left to the age
 * library, because most commands read a key file and few decrypt with it, and the library takes long to load.
 */
export function isAgeIdentity(text: string): boolean {
  const [, prefix = '', data = ''] = identity.exec(text) ?? []
  const values = Array.from(data, (character) => alphabet.indexOf(character))
  const codes = Array.from(prefix.toLowerCase(), (character) => character.charCodeAt(0))
  const isPadded = ((values[51] ?? 0) & 15) === 0 // 260 bits hold 256
  return (
    data !== '' &&
    isPadded &&
    checksum([...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31), ...values]) === 1
  )
}

function checksum(values: readonly number[]): number {
  return values.reduce((sum, value) => {
    const high = sum >>> 25
    const next = ((sum & 0x1ffffff) << 5) ^ value
    return generator.reduce((mixed, term, bit) => ((high >>> bit) & 1 ? mixed ^ term : mixed), next)
  }, 1)
}

/** A recipient as people see it: post-quantum ones have 1959 characters. */
export function shortKey(key: string): string {
  return key.length <= 62 ? key : `${key.slice(0, 24)}…${key.slice(-12)}`
}
