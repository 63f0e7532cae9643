import { letADayPass } from '../../src/cli/demo/travel-day.ts'
import { TestGateway } from '../../src/store/test-gateway.ts'
import { TestS3Server } from '../../src/store/s3/test-s3-server.ts'
import type { Measurement } from './measure.ts'
import type { Workplace } from './workplace.ts'

export interface PlaceMeasurements {
  readonly directory: Measurement
  readonly s3: Measurement
  /** Into a directory and S3 at once. */
  readonly both: Measurement
  /** Requests of the first backup, and of all that follow on as many days. */
  readonly first: ReadonlyMap<string, number>
  readonly daily: { readonly days: number; readonly requests: ReadonlyMap<string, number> }
}

/** The same backup into a directory, into S3 on loopback, and into both; then what days of backups ask S3 for. */
export async function measurePlaces(
  { connection, run }: Workplace,
  days: number,
): Promise<PlaceMeasurements | undefined> {
  const started = await TestS3Server.start()
  if (typeof started === 'string') return undefined
  await using s3 = started
  const credentials = Object.entries(s3.credentials('owner'))
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
  const pgrevive = `${credentials} $PGREVIVE`
  const place = async (endpoint = s3.endpoint) => `s3://${await s3.createBucket()}?endpoint=${endpoint}`
  const init = (repo: string) => run(`${pgrevive} init --quiet --repo '${repo}' --kit kit-$RANDOM$RANDOM.txt`)
  const backup = async (what: string, ...repos: readonly string[]) => {
    for (const repo of repos) await init(repo)
    process.stderr.write(`backup into ${what} …\n`)
    return run(`${pgrevive} backup --quiet --jobs 2 ${repos.map((repo) => `--repo '${repo}'`).join(' ')}`)
  }
  const directory = await backup('a directory', './directory')
  const [measuredS3, both] = [
    await backup('S3', await place()),
    await backup('a directory and S3', './other-directory', await place()),
  ]
  await using gateway = await TestGateway.start(s3.endpoint)
  const counted = await place(gateway.endpoint)
  await init(counted)
  const requests = async (command: string) => {
    gateway.byMethod.clear()
    await run(command)
    return new Map(gateway.byMethod)
  }
  const first = await requests(`${pgrevive} backup --quiet --repo '${counted}'`)
  const daily = new Map<string, number>()
  for (let day = 1; day <= days; day++) {
    process.stderr.write(`day ${day} into S3 …\n`)
    await letADayPass(connection)
    for (const [method, count] of await requests(`${pgrevive} backup --quiet --repo '${counted}'`)) {
      daily.set(method, (daily.get(method) ?? 0) + count)
    }
  }
  return { directory, s3: measuredS3, both, first, daily: { days, requests: daily } }
}
