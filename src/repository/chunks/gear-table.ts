export const gearTableBytes = 256 * 4

/** One 32-bit number for each value of a byte, little-endian in `bytes`. */
export function parseGearTable(bytes: Buffer): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, value) => bytes.readUInt32LE(value * 4))
}
