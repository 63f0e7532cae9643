import { spawn } from 'node:child_process'
import { readFile, readdir } from 'node:fs/promises'
import { cpus } from 'node:os'

export interface Measurement {
  readonly seconds: number
  /** Of the processor, for the command itself and what it started; the server's is not among it. */
  readonly clientSeconds: number
  /** Of all processors, for everything on this machine. */
  readonly machineSeconds: number
  /** Most memory that pgrevive's own process had at once, 0 if it did not run. */
  readonly peakBytes: number
}

/** Runs a shell command and measures it. Throws if it fails. `cwd` is for its files. */
export async function measure(
  command: string,
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<Measurement> {
  const busyBefore = busySeconds()
  const startedMs = performance.now()
  const child = spawn(
    'bash',
    ['-c', `set -euo pipefail; ${command}\ntimes >.times; cat /proc/self/status >/dev/null`],
    {
      ...options,
      stdio: ['ignore', 'ignore', 'inherit'],
      detached: true, // a process group of its own, by which its processes are found
    },
  )
  let peakBytes = 0
  const watch = setInterval(() => {
    void peakOfPgrevive(child.pid ?? 0).then((bytes) => (peakBytes = Math.max(peakBytes, bytes)))
  }, 50)
  const code = await new Promise((resolve) => child.on('close', resolve))
  const seconds = (performance.now() - startedMs) / 1000
  const machineSeconds = busySeconds() - busyBefore
  clearInterval(watch)
  if (code !== 0) throw new Error(`exit ${String(code)}: ${command}`)
  const [, children = ''] = (await readFile(`${options.cwd}/.times`, 'utf8')).trim().split('\n')
  const times = [...children.matchAll(/(\d+)m([\d.]+)s/g)].map(([, m, s]) => Number(m) * 60 + Number(s))
  return { seconds, clientSeconds: times.reduce((sum, time) => sum + time, 0), machineSeconds, peakBytes }
}

function busySeconds(): number {
  const times = cpus().flatMap(({ times: { user, nice, sys, irq } }) => [user, nice, sys, irq])
  return times.reduce((sum, time) => sum + time, 0) / 1000
}

/** The high-water mark of pgrevive's process in a process group. */
async function peakOfPgrevive(group: number): Promise<number> {
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  let peak = 0
  for (const id of processes) {
    const [, rest = ''] = (await readFile(`/proc/${id}/stat`, 'utf8').catch(() => '')).split(/\) (?=[A-Z] )/)
    if (rest.split(' ')[2] !== String(group)) continue
    const command = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')
    if (!command.includes('pgrevive.js')) continue
    const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '')
    peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024)
  }
  return peak
}
