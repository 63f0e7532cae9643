// Preloaded into the runs of a simulated month (NODE_OPTIONS=--import): their time is that of the simulation.
import { Stats, readFileSync } from 'node:fs'

const { PGREVIVE_TEST_SHIFT_FILE: file, PGREVIVE_TEST_REAL_SINCE: since } = process.env
const shiftMs = Number(readFileSync(file, 'utf8'))
const realSinceMs = Number(since)
const RealDate = Date

globalThis.Date = class Date extends RealDate {
  constructor(...words) {
    if (words.length === 0) super(RealDate.now() + shiftMs)
    else super(...words)
  }
  static now() {
    return RealDate.now() + shiftMs
  }
}

// What was written since the simulation began has a real time, until the simulation sets it.
const mtime = Object.getOwnPropertyDescriptor(Stats.prototype, 'mtime')
Object.defineProperty(Stats.prototype, 'mtime', {
  ...mtime,
  get() {
    return new RealDate(this.mtimeMs >= realSinceMs ? this.mtimeMs + shiftMs : this.mtimeMs)
  },
})
