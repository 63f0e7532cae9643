/**
 * The length that `length` is padded to, so that it says little: it keeps about log2(log2(length)) significant bits,
 * which costs at most 12 %. (Padmé: Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", PETS 2019.)
 */
export function padmeLength(length: number): number {
  if (length < 2) return length
  const exponent = Math.floor(Math.log2(length))
  const significantBits = Math.floor(Math.log2(exponent)) + 1
  const step = 2 ** Math.max(0, exponent - significantBits)
  return Math.ceil(length / step) * step
}
