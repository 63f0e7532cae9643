import { once } from 'node:events'
import { stripVTControlCharacters } from 'node:util'
import { type RunEvent, beginMessage, runVariable } from '../core/run-events.ts'
import type { ProgressEvent } from '../core/progress.ts'
import { printableLines } from '../core/text/printable.ts'
import { redactPasswords } from '../core/text/redact-passwords.ts'
import type { Level } from './terminal/terminal.ts'

/** At most so often within a phase. */
const progressMs = 250

/** The service that began this process, to which it tells what it does. */
export class ServiceChannel {
  /** As the service names this run. */
  readonly run: string
  /** Resolves when the service has noted whose process this is: before that nothing may be done. */
  readonly mayBegin: Promise<void>
  readonly #send: (event: RunEvent) => Promise<void>
  readonly #unsent = new Set<Promise<void>>()
  #phase = ''
  #toldMs = -Infinity

  constructor(run: string, mayBegin: Promise<void>, send: (event: RunEvent) => Promise<void>) {
    this.run = run
    this.mayBegin = mayBegin
    this.#send = send
  }

  /** Each change of phase; within one not more than a service can take. */
  progress(progress: ProgressEvent): void {
    const isNew = progress.phase !== this.#phase
    const nowMs = performance.now()
    if (!isNew && (nowMs - this.#toldMs < progressMs || this.#unsent.size > 0)) return
    this.#phase = progress.phase
    this.#toldMs = nowMs
    this.#tell({ kind: 'progress', progress })
  }

  log(text: string, level: Level): void {
    const shown = printableLines(redactPasswords(stripVTControlCharacters(text.trimEnd())))
    this.#tell({ kind: 'log', level, text: shown })
  }

  /** Resolves once the service has all that it was told. */
  async flush(): Promise<void> {
    await Promise.all(this.#unsent)
  }

  #tell(event: RunEvent): void {
    const sent = this.#send(event).finally(() => this.#unsent.delete(sent))
    this.#unsent.add(sent)
  }
}

/** Undefined for a process that no service has begun. */
export function openServiceChannel(process: NodeJS.Process): ServiceChannel | undefined {
  const run = process.env[runVariable]
  if (run === undefined || process.send === undefined) return undefined
  const mayBegin = waitForBegin(process)
  // whatever can not be sent, the end of the channel has ended this run
  const send = (event: RunEvent) =>
    new Promise<void>((resolve) => {
      if (process.connected) process.send?.(event, undefined, undefined, () => resolve())
      else resolve()
    })
  if (!process.connected) process.emit('disconnect') // before anybody listened
  return new ServiceChannel(run, mayBegin, send)
}

async function waitForBegin(process: NodeJS.Process): Promise<void> {
  for (;;) {
    const [message] = await once(process, 'message')
    if (JSON.stringify(message) === JSON.stringify(beginMessage)) return
  }
}
