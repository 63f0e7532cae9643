import type { ProgressEvent } from '../../core/progress.ts'
import { formatBytes, formatDuration, formatQuantity, formatRate } from '../../core/text/format.ts'
import { printable } from '../../core/text/printable.ts'
import type { Terminal } from './terminal.ts'
import { textWidth, truncateText } from '../../core/text/text-width.ts'

const redrawMs = 100
const tickMs = 1000
const plainLineMs = 10_000
const rateWindowMs = 10_000
const sampleMs = 250
const phaseColumns = 12
const barColumns = 20
const leastBarColumns = 8

interface Phase {
  readonly startedMs: number
  readonly samples: { timeMs: number; done: number }[]
  event: ProgressEvent
  /** When `done` last grew. */
  movedMs: number
}

/**
 * Shows what engines report: on a terminal one line that is redrawn, elsewhere a line at each change of phase and at
 * most one in ten seconds between; nothing with `--json` or `--quiet`. Every finished phase leaves one line. A clock
 * ticks while it lives, so that work that stands still is seen to stand still.
 */
export class ProgressDisplay implements Disposable {
  readonly #terminal: Terminal
  readonly #now: () => number
  readonly #timer: NodeJS.Timeout | undefined
  #phase: Phase | undefined
  #drawnMs = -Infinity

  constructor(terminal: Terminal, options: { now?: () => number } = {}) {
    this.#terminal = terminal
    this.#now = options.now ?? (() => performance.now())
    if (!terminal.json && !terminal.quiet) this.#timer = setInterval(() => this.tick(), tickMs).unref()
  }

  report(event: ProgressEvent): void {
    if (this.#terminal.json || this.#terminal.quiet) return
    const timeMs = this.#now()
    if (this.#phase?.event.phase !== event.phase) {
      this.#leavePhase()
      this.#phase = { startedMs: timeMs, samples: [], event, movedMs: timeMs }
      this.#drawnMs = this.#terminal.redraws ? -Infinity : timeMs
    }
    const phase = this.#phase
    if (!phase) return
    if (event.done !== phase.event.done) phase.movedMs = timeMs
    phase.event = event
    takeSample(phase, timeMs)
    this.#draw(timeMs)
  }

  /** Draws again though nothing was reported. */
  tick(): void {
    if (!this.#phase) return
    const timeMs = this.#now()
    takeSample(this.#phase, timeMs)
    this.#draw(timeMs)
  }

  /** The work is done: the last phase leaves its line too. */
  finish(): void {
    this.#leavePhase()
    this.#phase = undefined
  }

  /** Removes the line that is being redrawn. What was reported afterwards is not shown. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer)
    this.#phase = undefined
    this.#terminal.showStatus('')
  }

  #draw(timeMs: number): void {
    const phase = this.#phase
    if (!phase || timeMs - this.#drawnMs < (this.#terminal.redraws ? redrawMs : plainLineMs)) return
    this.#drawnMs = timeMs
    if (this.#terminal.redraws) this.#terminal.showStatus(this.#statusLine(phase, timeMs))
    else this.#terminal.printError(`${this.#plainLine(phase, timeMs)}\n`)
  }

  #leavePhase(): void {
    if (!this.#phase) return
    const { event, startedMs } = this.#phase
    const took = formatDuration(this.#now() - startedMs)
    const amount = event.done === undefined ? '' : `${formatAmount(event.done, event.unit)} in `
    this.#terminal.showStatus('')
    this.#terminal.printError(`${padPhase(event.phase)} ${amount}${took}\n`)
  }

  #statusLine(phase: Phase, timeMs: number): string {
    const { faint, good } = this.#terminal.errorColors
    const { event } = phase
    const share = shareOf(event)
    // A line as wide as the terminal would wrap.
    let columns = this.#terminal.width - 1
    let line = ''
    const add = (text: string, style: (text: string) => string = (plain) => plain) => {
      const shown = truncateText(text, columns)
      columns -= textWidth(shown)
      line += style(shown)
    }
    add(padPhase(event.phase))
    const words = ` ${fittingWords(progressWords(phase, timeMs), columns - 1)}`
    const bar = Math.min(barColumns, columns - words.length - 1)
    if (share !== undefined && bar >= leastBarColumns) {
      const filled = Math.round(share * bar)
      add(' ')
      add('━'.repeat(filled), good)
      add('─'.repeat(bar - filled), faint)
    }
    add(words)
    if (event.detail !== undefined && columns > 4) add(`  ${printable(event.detail)}`, faint)
    return line
  }

  #plainLine(phase: Phase, timeMs: number): string {
    const detail = phase.event.detail === undefined ? '' : `  ${printable(phase.event.detail)}`
    return `${padPhase(phase.event.phase)} ${Object.values(progressWords(phase, timeMs)).join('  ')}${detail}`
  }
}

function takeSample(phase: Phase, timeMs: number): void {
  const { samples } = phase
  if (timeMs - (samples.at(-1)?.timeMs ?? -Infinity) < sampleMs) return
  samples.push({ timeMs, done: phase.event.done ?? 0 })
  while (samples.length > 2 && timeMs - (samples[0]?.timeMs ?? timeMs) > rateWindowMs) samples.shift()
}

/** Per second, over the last ten seconds; undefined before a second has passed. */
function rateOf(phase: Phase, timeMs: number): number | undefined {
  const first = phase.samples[0]
  if (phase.event.done === undefined || !first || timeMs - first.timeMs < 1000) return undefined
  return ((phase.event.done - first.done) * 1000) / (timeMs - first.timeMs)
}

function shareOf({ done, total }: ProgressEvent): number | undefined {
  return done === undefined || total === undefined || total <= 0 ? undefined : Math.min(1, done / total)
}

/** As far as they are known, in the order of the line. */
interface ProgressWords {
  /** `42 %` */
  share?: string
  /** `1.2 GB of 2.9 GB` */
  amount?: string
  /** `84.1 MB/s` */
  rate?: string
  /** `20 s left` */
  remaining?: string
}

function progressWords(phase: Phase, timeMs: number): ProgressWords {
  const { done, total, unit } = phase.event
  if (done === undefined) return { remaining: formatDuration(timeMs - phase.startedMs) }
  const words: ProgressWords = {}
  const share = shareOf(phase.event)
  const rate = rateOf(phase, timeMs)
  // Rounded down: it is 100 % only when it is done.
  if (share !== undefined) words.share = `${Math.floor(share * 100)} %`.padStart(5)
  const amount = formatAmount(done, unit)
  words.amount = total === undefined ? amount : `${amount} of ${formatAmount(total, unit)}`
  if (rate !== undefined) words.rate = formatRate(rate, unit)
  if (rate !== undefined && total !== undefined && total > done) {
    words.remaining =
      rate > 0
        ? `${formatRemaining((total - done) / rate)} left`
        : `waiting for ${formatDuration(timeMs - phase.movedMs)}`
  }
  return words
}

/** All of them if there is room, else without the rate, else without the amount too: how long it takes counts most. */
function fittingWords(words: ProgressWords, columns: number): string {
  const { rate: _, ...withoutRate } = words
  const { amount: __, ...shortest } = withoutRate
  const lines = [words, withoutRate, shortest].map((chosen) => Object.values(chosen).join('  '))
  return lines.find((line) => line !== '' && line.length <= columns) ?? lines.at(-1) ?? ''
}

/** In whole seconds: it is an estimate. */
function formatRemaining(seconds: number): string {
  const rounded = Math.max(1, Math.round(seconds))
  return rounded < 10 ? `${rounded} s` : formatDuration(rounded * 1000)
}

function formatAmount(amount: number, unit: ProgressEvent['unit']): string {
  if (unit === 'bytes') return formatBytes(amount)
  return unit === 'rows' ? formatQuantity(amount, 'row') : formatQuantity(amount, 'item')
}

function padPhase(phase: string): string {
  return printable(phase).padEnd(phaseColumns)
}
