import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { AppError, messageOf } from '../core/app-error.ts'
import { untilAborted } from '../core/until-aborted.ts'
import { LineSplitter } from './line-splitter.ts'

/** From SIGTERM to SIGKILL. */
const graceMs = 5000
/** How long the output of a program that has ended may stay open: something that it left in the background holds it. */
const lateOutputMs = 1000

/** How a program ended; `exitCode` is null if a signal ended it. */
export interface ProgramEnd {
  readonly exitCode: number | null
  readonly endedBy: NodeJS.Signals | null
}

/**
 * Runs a program in a process group of its own, with nothing on its standard input. What it prints comes line by line.
 * When the signal is aborted, the whole group is ended, and the reason is thrown; it says so if some of it still runs. Rejects with the system's error when
 * there is no such program.
 */
export async function runProgram(
  [program = '', ...args]: readonly string[],
  options: {
    readonly environment: Readonly<Record<string, string | undefined>>
    readonly directory: string
    readonly signal: AbortSignal
    readonly onLine: (line: string) => void
  },
): Promise<ProgramEnd> {
  const { environment, directory, signal, onLine } = options
  signal.throwIfAborted()
  const child = spawn(program, args, {
    cwd: directory,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const output = Promise.all([readLines(child.stdout, onLine), readLines(child.stderr, onLine)])
  const ended = once(child, 'exit')
  try {
    await untilAborted(ended, signal)
  } catch (error) {
    if (!signal.aborted || (await endGroup(child, ended))) throw error
    child.unref()
    const message = `${messageOf(error)}; process group ${child.pid} still runs: this user may not end it`
    throw new AppError('hook-failed', message, { cause: error, hint: `end it as its user: kill -- -${child.pid}` })
  } finally {
    await Promise.race([output, delay(lateOutputMs, undefined, { ref: false })])
    child.stdout.destroy()
    child.stderr.destroy()
  }
  return { exitCode: child.exitCode, endedBy: child.signalCode }
}

/** False if some of it still runs: what has become another user may be beyond reach. */
async function endGroup(child: ChildProcess, ended: Promise<unknown>): Promise<boolean> {
  const { pid } = child
  if (pid === undefined) return true
  const deadlineMs = performance.now() + graceMs
  signalGroup(pid, 'SIGTERM')
  while (signalGroup(pid, 0) !== 'nobody' && performance.now() < deadlineMs) await delay(20)
  if (signalGroup(pid, 'SIGKILL') === 'refused') return false
  await Promise.race([ended, delay(graceMs, undefined, { ref: false })])
  return child.exitCode !== null || child.signalCode !== null
}

/** `refused`: all that there are belong to others. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): 'taken' | 'refused' | 'nobody' {
  try {
    process.kill(-pid, signal)
    return 'taken'
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return 'nobody'
    if (error instanceof Error && 'code' in error && error.code === 'EPERM') return 'refused'
    throw error
  }
}

async function readLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  const lines = new LineSplitter(onLine)
  try {
    for await (const bytes of stream) lines.write(bytes)
  } catch (error) {
    // whoever destroyed the stream waits for no more
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE')) throw error
  }
  lines.end()
}
