import { spawn } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'

export interface Measurement {
  readonly seconds: number
  /** Of the processor, for the command itself and what it started; the server's is not among it. */
  readonly clientSeconds: number
  /** Of all processors, for everything on this machine. */
  readonly machineSeconds: number
  /** Most memory that pgrevive's own process had at once, 0 if it did not run. */
  readonly peakBytes: number
}

/** Where note-peak.mjs notes what pgrevive took, so that nobody has to watch it and takes its time. */
const peaksFile = '.peaks'

/** Runs a shell command and measures it. Throws if it fails. `cwd` is for its files. */
export async function measure(
  command: string,
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<Measurement> {
  const busyBefore = busySeconds()
  await rm(join(options.cwd, peaksFile), { force: true })
  const startedMs = performance.now()
  const child = spawn('bash', ['-c', `set -euo pipefail; ${command}\ntimes >.times`], {
    ...options,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const code = await new Promise((resolve) => child.on('close', resolve))
  const seconds = (performance.now() - startedMs) / 1000
  const machineSeconds = busySeconds() - busyBefore
  if (code !== 0) throw new Error(`exit ${String(code)}: ${command}`)
  const [, children = ''] = (await readFile(`${options.cwd}/.times`, 'utf8')).trim().split('\n')
  const times = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(([, m, s]) => Number(m) * 60 + Number(s))
  const peaks = (await readFile(join(options.cwd, peaksFile), 'utf8').catch(() => '')).split('\n').map(Number)
  const peakBytes = Math.max(...peaks) * 1024
  return { seconds, clientSeconds: times.reduce((sum, time) => sum + time, 0), machineSeconds, peakBytes }
}

function busySeconds(): number {
  const times = cpus().flatMap(({ times: { user, nice, sys, irq } }) => [user, nice, sys, irq])
  return times.reduce((sum, time) => sum + time, 0) / 1000
}
