import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import {
  BlobServiceClient,
  ContainerSASPermissions,
  StorageSharedKeyCredential,
  generateBlobSASQueryParameters,
} from '@azure/storage-blob'
import { messageOf } from '../../core/app-error.ts'

const program = fileURLToPath(import.meta.resolve('azurite/dist/src/blob/main.js'))
const account = 'testaccount'

/** A real server of Azure blobs (Microsoft's Azurite) for one test file, in a thread: it ends with the process, whatever happens. */
export class TestAzurite implements AsyncDisposable {
  readonly account = account
  readonly key: string
  readonly endpoint: string
  readonly #worker: Worker
  readonly #credential: StorageSharedKeyCredential
  #containers = 0

  private constructor(worker: Worker, key: string, address: string) {
    this.#worker = worker
    this.key = key
    this.endpoint = `${address}/${account}`
    this.#credential = new StorageSharedKeyCredential(account, key)
  }

  /** Returns why there is none, having said it loudly: tests are then skipped. */
  static async start(): Promise<TestAzurite | string> {
    const key = randomBytes(64).toString('base64')
    const worker = new Worker(program, {
      argv: ['--silent', '--inMemoryPersistence', '--disableTelemetry', '--skipApiVersionCheck', '--blobPort', '0'],
      env: { AZURITE_ACCOUNTS: `${account}:${key}` },
      stdout: true,
      stderr: true,
    })
    try {
      return new TestAzurite(worker, key, await addressOf(worker))
    } catch (error) {
      await worker.terminate()
      const problem = `no Azurite: ${messageOf(error)}`
      console.error(`\nALL TESTS ON AZURE BLOBS ARE SKIPPED: ${problem}\n`)
      return problem
    }
  }

  async createContainer(): Promise<string> {
    const container = `container-${++this.#containers}`
    await new BlobServiceClient(this.endpoint, this.#credential).createContainer(container)
    return container
  }

  /** A shared access signature; `rights` are letters: read, add, create, write, delete, list. */
  signatureFor(containerName: string, rights: string, options: { readonly expiresOn?: Date } = {}): string {
    const { expiresOn = new Date(Date.now() + 3600_000) } = options
    const permissions = ContainerSASPermissions.parse(rights)
    return generateBlobSASQueryParameters({ containerName, permissions, expiresOn }, this.#credential).toString()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate()
  }
}

/** Where it says that it listens. */
async function addressOf(worker: Worker): Promise<string> {
  let said = ''
  const listening = new Promise<string>((resolve) => {
    worker.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
      const [, address] = /listens on (http:\/\/\S+)/.exec(said) ?? []
      if (address !== undefined) resolve(address)
    })
  })
  const ended = once(worker, 'exit').then(() => {
    throw new Error(`it ended: ${said}`)
  })
  return Promise.race([listening, ended])
}
