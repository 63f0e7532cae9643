import { deflateSync, inflateSync, crc32 } from 'node:zlib'

/** A PNG of a browser (8 bits a channel, RGB or RGBA, not interlaced) with at most 256 colours, and so a fraction of its size. */
export function withPalette(png: Buffer): Buffer {
  const { width, height, channels, pixels } = decode(png)
  const { palette, indexOf } = choosePalette(pixels, channels)
  const rows = Buffer.alloc(height * (width + 1))
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows[y * (width + 1) + 1 + x] = indexOf((y * width + x) * channels)
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 3, 0, 0, 0], 8)
  const parts = [
    chunk('IHDR', header),
    chunk('PLTE', palette),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]
  return Buffer.concat([png.subarray(0, 8), ...parts])
}

function decode(png: Buffer) {
  const width = png.readUInt32BE(16)
  const height = png.readUInt32BE(20)
  const channels = png[25] === 6 ? 4 : 3
  const data: Buffer[] = []
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at)
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') data.push(png.subarray(at + 8, at + 8 + length))
    at += 12 + length
  }
  const raw = inflateSync(Buffer.concat(data))
  const stride = width * channels
  const pixels = Buffer.alloc(height * stride)
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)]
    for (let x = 0; x < stride; x++) {
      const left = x >= channels ? byte(pixels, y * stride + x - channels) : 0
      const up = y > 0 ? byte(pixels, (y - 1) * stride + x) : 0
      const corner = y > 0 && x >= channels ? byte(pixels, (y - 1) * stride + x - channels) : 0
      pixels[y * stride + x] = byte(raw, y * (stride + 1) + 1 + x) + predicted(filter, left, up, corner)
    }
  }
  return { width, height, channels, pixels }
}

const byte = (bytes: Buffer, at: number) => bytes[at] ?? 0

/** The filters of PNG: none, sub, up, average, Paeth. */
function predicted(filter: number | undefined, left: number, up: number, corner: number): number {
  if (filter === 1) return left
  if (filter === 2) return up
  if (filter === 3) return (left + up) >> 1
  if (filter !== 4) return 0
  const guess = left + up - corner
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)]
  return a <= b && a <= c ? left : b <= c ? up : corner
}

/** The most frequent colours, to five bits a channel; the others become the nearest of them. */
function choosePalette(pixels: Buffer, channels: number) {
  const seen = new Map<number, { count: number; sum: [number, number, number] }>()
  const keyAt = (at: number) =>
    ((byte(pixels, at) >> 3) << 10) | ((byte(pixels, at + 1) >> 3) << 5) | (byte(pixels, at + 2) >> 3)
  for (let at = 0; at < pixels.length; at += channels) {
    const one = seen.get(keyAt(at)) ?? { count: 0, sum: [0, 0, 0] }
    one.count++
    for (const channel of [0, 1, 2] as const) one.sum[channel] += byte(pixels, at + channel)
    seen.set(keyAt(at), one)
  }
  const all = [...seen].toSorted(([, a], [, b]) => b.count - a.count)
  const colours = all.slice(0, 256).map(([, { count, sum }]) => sum.map((value) => Math.round(value / count)))
  const nearest = new Map(
    all.map(([key, { count, sum }]) => {
      const wanted = sum.map((value) => value / count)
      const distances = colours.map((colour) =>
        colour.reduce((total, value, channel) => total + (value - (wanted[channel] ?? 0)) ** 2, 0),
      )
      return [key, distances.indexOf(Math.min(...distances))]
    }),
  )
  return { palette: Buffer.from(colours.flat()), indexOf: (at: number) => nearest.get(keyAt(at)) ?? 0 }
}

function chunk(type: string, data: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, sum])
}
