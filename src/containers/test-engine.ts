import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { messageOf } from '../core/app-error.ts'
import { Engine } from './engine.ts'

const tool = fileURLToPath(new URL('../../../shared/bin/travelscout-containers', import.meta.url))
/** Images stay there from one run to the next. */
const directory = '/var/tmp/pgrevive-engine'
const socketPath = `${directory}/engine.sock`

/**
 * A real podman with the containers of the guide (`travelscout-containers`): PostgreSQL 15 in `travelscout-postgres`, and
 * `travelscout-app`, `-celery-worker` and `-celery-beat`, which sleep. Their names and the port are fixed, so one test
 * after the other has it.
 */
export class TestEngine implements AsyncDisposable {
  readonly environment = { DOCKER_HOST: `unix://${socketPath}` }
  readonly #lock: ChildProcess

  private constructor(lock: ChildProcess) {
    this.#lock = lock
  }

  /** Returns why there is none, having said it loudly: tests are then skipped. */
  static async start(): Promise<TestEngine | string> {
    try {
      await access(tool)
      if (process.geteuid?.() !== 0) throw new Error('only root can start it')
      await mkdir(directory, { recursive: true })
      const engine = new TestEngine(await holdLock())
      try {
        await engine.#up().catch(() => engine.#up()) // the server in it may take longer than the tool waits
        return engine
      } catch (error) {
        await engine[Symbol.asyncDispose]()
        throw error
      }
    } catch (error) {
      const problem = `no container engine: ${messageOf(error)}`
      console.error(`\nALL TESTS ON CONTAINERS ARE SKIPPED: ${problem}\n`)
      return problem
    }
  }

  /** A shell's line that does what docker's own client would do with its arguments. */
  readonly client = `exec podman --cgroup-manager cgroupfs --runtime runc --root ${directory}/storage --runroot ${directory}/run --storage-driver overlay --tmpdir ${directory}/tmp "$@"`

  async open(signal = new AbortController().signal): Promise<Engine> {
    return Engine.open({ environment: this.environment, homeDirectory: '/nonexistent', signal })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#down()
    } finally {
      this.#lock.ref()
      const ended = once(this.#lock, 'exit')
      this.#lock.stdin?.end() // the lock would keep this process
      await ended
    }
  }

  /** After what a killed run may have left. */
  async #up(): Promise<void> {
    await this.#down()
    await run('up')
  }

  async #down(): Promise<void> {
    await run('down')
  }
}

/** Ends with this process, however that ends. */
async function holdLock(): Promise<ChildProcess> {
  const lock = spawn('flock', ['-o', `${directory}.lock`, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(lock.stdout, 'data')
  lock.unref()
  return lock
}

async function run(action: 'up' | 'down'): Promise<void> {
  await promisify(execFile)(tool, [action, directory], { timeout: 600_000 })
}
