import type { EventEmitter } from 'node:events'
import { AppError } from '../core/app-error.ts'

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * The first SIGINT, SIGTERM or SIGHUP aborts the signal that is returned, with `interrupted` as the reason, and all
 * that was begun is undone in order; the second one calls `exit` at once. So does the end of the service that began
 * this process, which closes the channel between the two.
 */
export function listenForStop(
  process: EventEmitter,
  { exit, tell }: { exit: (code: number) => void; tell: (text: string) => void },
): AbortSignal {
  const stop = new AbortController()
  for (const name of stopSignals) {
    process.on(name, () => {
      if (stop.signal.aborted) return exit(130)
      stop.abort(stopped(`stopped by ${name}`))
      tell('\nstopping; once more to stop at once\n')
    })
  }
  process.on('disconnect', () => stop.abort(stopped('stopped: the service that began this run has ended')))
  return stop.signal
}

function stopped(message: string): AppError {
  return new AppError('interrupted', message, {
    hint: 'nothing counts that was not finished, and nothing that was stored before is touched: run it again',
  })
}
