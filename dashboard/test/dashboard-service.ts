import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildPages } from '../../src/api/built-pages.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** "pgrevive serve" in a directory, with its pgrevive.yaml and a state of its own. */
export interface RunningService extends AsyncDisposable {
  /** Without a slash at its end. */
  readonly url: string
  /** What it prints for the first account. */
  readonly link: string
  readonly pid: number
  /** All that it has printed so far. */
  said(): string
}

export interface DashboardService extends RunningService {
  readonly directory: string
}

/** As a new user starts it, in an empty directory: builds the dashboard as it is, and starts a service that serves it. */
export async function startDashboardService(): Promise<DashboardService> {
  await buildPages({ anew: true })
  const directory = await mkdtemp(join(tmpdir(), 'pgrevive-dashboard-'))
  const { PATH, XDG_DATA_HOME, XDG_CACHE_HOME } = process.env
  const environment = {
    PATH,
    HOME: directory,
    ...(XDG_DATA_HOME && { XDG_DATA_HOME }),
    ...(XDG_CACHE_HOME && { XDG_CACHE_HOME }),
  }
  const service = await startService({ program: join(root, 'bin/pgrevive.js'), directory, environment })
  return {
    ...service,
    directory,
    [Symbol.asyncDispose]: async () => {
      await service[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Resolves once it has printed its link; nobody may have an account yet. */
export async function startService({ program, directory, environment }: ServiceStart): Promise<RunningService> {
  const words = ['--config', join(directory, 'pgrevive.yaml'), '--state', join(directory, 'state')]
  const service = spawn(process.execPath, [program, 'serve', '--listen', '127.0.0.1:0', ...words], {
    cwd: directory,
    env: environment,
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
    pid: service.pid ?? NaN,
    said: () => text,
    [Symbol.asyncDispose]: async () => {
      service.kill('SIGTERM')
      await ended
    },
  }
}

interface ServiceStart {
  /** Of pgrevive: bin/pgrevive.js. */
  readonly program: string
  readonly directory: string
  readonly environment: NodeJS.ProcessEnv
}
