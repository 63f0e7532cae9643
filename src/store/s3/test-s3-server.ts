import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv, promisify } from 'node:util'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { messageOf } from '../../core/app-error.ts'
import { processStartTime } from '../../core/process-start-time.ts'

const tool = fileURLToPath(new URL('../../../../shared/bin/s3-ceph', import.meta.url))
const folder = '/tmp'
const namePattern = /^pgrevive-ceph-(?<processId>\d+)-(?<startTime>\d+)$/

/** Users of the server: the owner of all buckets, two with fewer rights, and one without any. */
export type TestS3User = 'owner' | 'writer' | 'pruner' | 'stranger'

/** A real S3 server (Ceph) for one test file. */
export class TestS3Server implements AsyncDisposable {
  readonly endpoint: string
  readonly #directory: string
  readonly #variables: NodeJS.Dict<string>
  #buckets = 0

  private constructor(directory: string, variables: NodeJS.Dict<string>) {
    this.endpoint = variables['S3_ENDPOINT'] ?? ''
    this.#directory = directory
    this.#variables = variables
  }

  /** Returns why there is none, having said it loudly: tests are then skipped. */
  static async start(): Promise<TestS3Server | string> {
    const directory = join(folder, `pgrevive-ceph-${process.pid}-${await processStartTime(process.pid)}`)
    try {
      await access(tool)
      await stopAbandoned()
      // twenty ports from here on, below those that the system gives to whoever asks for any
      const port = randomInt(1000, 1600) * 20
      return new TestS3Server(directory, parseEnv(await runTool(['up', directory], { S3_CEPH_PORT: `${port}` })))
    } catch (error) {
      await runTool(['down', directory]).catch(() => undefined) // what failed may not even have begun
      const problem = `no S3 server: ${messageOf(error)}`
      console.error(`\nALL TESTS ON S3 ARE SKIPPED: ${problem}\n`)
      return problem
    }
  }

  /** What the SDK reads; without a user, nothing that lets anybody in. */
  credentials(user?: TestS3User): Record<string, string> {
    const isolated = {
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    }
    if (user === undefined) return isolated
    const name = user.toUpperCase()
    return {
      ...isolated,
      AWS_ACCESS_KEY_ID: this.#variables[`S3_${name}_ACCESS_KEY_ID`] ?? '',
      AWS_SECRET_ACCESS_KEY: this.#variables[`S3_${name}_SECRET_ACCESS_KEY`] ?? '',
    }
  }

  /** Makes a bucket of the owner's, which keeps versions if it keeps locks. */
  async createBucket(options: { readonly locks?: boolean } = {}): Promise<string> {
    using client = this.client('owner')
    const bucket = `bucket-${++this.#buckets}`
    await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: options.locks ?? false }))
    return bucket
  }

  /** What is not pgrevive's to do is done with it. */
  client(user: TestS3User): S3Client & Disposable {
    const { AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = this.credentials(user)
    const client = new S3Client({
      endpoint: this.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
    })
    return Object.assign(client, { [Symbol.dispose]: () => client.destroy() })
  }

  /** As policies of buckets name a user. */
  arn(user: 'writer' | 'pruner' | 'stranger'): string {
    return this.#variables[`S3_${user.toUpperCase()}_ARN`] ?? ''
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runTool(['down', this.#directory])
  }
}

/** Servers of test runs that were killed. */
async function stopAbandoned(): Promise<void> {
  for (const name of await readdir(folder)) {
    const { processId, startTime } = namePattern.exec(name)?.groups ?? {}
    if (processId === undefined || (await processStartTime(Number(processId))) === Number(startTime)) continue
    await runTool(['down', join(folder, name)])
  }
}

async function runTool(args: readonly string[], variables: Readonly<Record<string, string>> = {}): Promise<string> {
  const env = { ...process.env, ...variables }
  // the first start of all fetches the server's packages
  const { stdout } = await promisify(execFile)(tool, args, { env, timeout: 300_000 })
  return stdout
}
