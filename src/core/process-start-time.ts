import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { bareEnvironment } from './child-process.ts'

/**
 * When a process began: a number that tells it from any other process that has had the same id; `undefined` if it has
 * ended. On Linux in clock ticks since boot (proc(5), `stat`, field 22), elsewhere in milliseconds since 1970.
 */
export async function processStartTime(processId: number): Promise<number | undefined> {
  try {
    return process.platform === 'linux' ? await readProcStat(processId) : await askPs(processId)
  } catch {
    return undefined
  }
}

async function readProcStat(processId: number): Promise<number | undefined> {
  const stat = await readFile(`/proc/${processId}/stat`, 'latin1')
  // field 2 is the program's name in parentheses and may hold anything
  const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return 'ZX'.includes(state) ? undefined : Number(fields[18])
}

async function askPs(processId: number): Promise<number | undefined> {
  const env = { ...bareEnvironment(), TZ: 'UTC' }
  const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(processId)], { env })
  return Date.parse(`${stdout.trim()} UTC`)
}
