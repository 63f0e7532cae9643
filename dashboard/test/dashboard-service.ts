import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildPages } from '../../src/api/built-pages.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** "pgrevive serve" as a new user starts it: in an empty directory. */
export interface DashboardService extends AsyncDisposable {
  /** Without a slash at its end. */
  readonly url: string
  /** What it prints for the first account. */
  readonly link: string
  readonly directory: string
  /** All that it has printed so far. */
  said(): string
}

/** Builds the dashboard as it is, and starts a service that serves it. */
export async function startDashboardService(): Promise<DashboardService> {
  await buildPages({ anew: true })
  const directory = await mkdtemp(join(tmpdir(), 'pgrevive-dashboard-'))
  const args = [
    'serve',
    '--config',
    join(directory, 'pgrevive.yaml'),
    '--listen',
    '127.0.0.1:0',
    '--state',
    join(directory, 'state'),
  ]
  const { PATH, XDG_DATA_HOME, XDG_CACHE_HOME } = process.env
  const service = spawn(process.execPath, [join(root, 'bin/pgrevive.js'), ...args], {
    cwd: directory,
    env: { PATH, HOME: directory, ...(XDG_DATA_HOME && { XDG_DATA_HOME }), ...(XDG_CACHE_HOME && { XDG_CACHE_HOME }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  const ended = once(service, 'exit')
  const link = await new Promise<string>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      text += chunk.toString()
      const found = /https?:\/\/\S+\/setup#\S+/.exec(text)?.[0]
      if (found) resolve(found)
    }
    service.stdout.on('data', hear)
    service.stderr.on('data', hear)
    void ended.then(() => reject(new Error(`the service ended: ${text}`)))
  })
  return {
    url: new URL(link).origin,
    link,
    directory,
    said: () => text,
    [Symbol.asyncDispose]: async () => {
      service.kill('SIGTERM')
      await ended
      await rm(directory, { recursive: true, force: true })
    },
  }
}
