import { once } from 'node:events'
import { createConnection } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError, hasCode, messageOf } from '../core/app-error.ts'
import { untilAborted } from '../core/until-aborted.ts'
import type { WaitCondition } from './hook-step.ts'

const retryMs = 250
/** What is asked once and does not answer is asked again. */
const oneTryMs = 5000

/** What is asked whether it is ready; each rejects while it is not. */
export interface Probes {
  database(name: string, signal: AbortSignal): Promise<void>
  container(name: string, signal: AbortSignal): Promise<void>
}

/** Resolves as soon as the condition holds; a time limit in `signal` is told with what the last try came to. */
export async function waitUntil(condition: WaitCondition, signal: AbortSignal, probes: Probes): Promise<void> {
  for (;;) {
    const error = await tryOnce(condition, signal, probes)
    if (error === undefined) return
    await delay(retryMs)
    if (!signal.aborted) continue
    if (!hasCode(signal.reason, 'hook-failed')) throw signal.reason
    throw new AppError('hook-failed', `${signal.reason.message}; the last try: ${messageOf(error)}`, { cause: error })
  }
}

async function tryOnce(condition: WaitCondition, signal: AbortSignal, probes: Probes): Promise<unknown> {
  const whole = AbortSignal.any([signal, AbortSignal.timeout(oneTryMs)])
  try {
    await untilAborted(ask(condition, whole, probes), whole)
    return undefined
  } catch (error) {
    if (hasCode(error, 'usage-invalid', 'config-invalid', 'connection-invalid')) throw error
    return error
  }
}

async function ask({ what, where }: WaitCondition, signal: AbortSignal, probes: Probes): Promise<void> {
  switch (what) {
    case 'tcp':
      return connect(where, signal)
    case 'http':
      return request(where, signal)
    case 'database':
      return probes.database(where, signal)
    case 'container':
      return probes.container(where, signal)
  }
}

async function connect(where: string, signal: AbortSignal): Promise<void> {
  const { hostname, port } = new URL(`tcp://${where}`)
  const socket = createConnection({ host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port), signal })
  try {
    await once(socket, 'connect')
  } finally {
    socket.destroy()
  }
}

async function request(url: string, signal: AbortSignal): Promise<void> {
  const response = await fetch(url, { signal })
  await response.body?.cancel()
  if (!response.ok) throw new Error(`HTTP status ${response.status}`)
}
