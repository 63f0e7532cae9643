import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { TestEngine } from '../../containers/test-engine.ts'
import { loadSql } from '../../postgres/server/test-server.ts'
import { resolveConnection } from '../../postgres/target/connection-target.ts'
import { TestS3Server } from '../../store/s3/test-s3-server.ts'
import { type GuideCommand, type GuidePart, parseGuide } from './test-guide-text.ts'

const example = fileURLToPath(new URL('../../../examples/travelscout', import.meta.url))
const program = fileURLToPath(new URL('../../../bin/pgrevive.js', import.meta.url))
const fixture = fileURLToPath(new URL('../../../../shared/fixtures/travelscout.sql', import.meta.url))
export const guideFile = join(example, 'docs', 'guide.md')

/** What the guide and pgrevive.yaml call it, and what is as long in a test, so that tables look the same. */
const guideBucket = 's3://travelscout-pgrevive?region=eu-central-1'
const guideDirectory = '/srv/travelscout'
const guideHome = '/home/travelplan'
const directoryPrefix = '/tmp/pgrv-'

/** The containers of the application only sleep: this stands for its migrations. */
const application = 'printf "#!/bin/sh\\necho migrated\\n" >/usr/local/bin/alembic; chmod 755 /usr/local/bin/alembic'

/** What a command of the guide really did. */
export interface Ran {
  readonly command: GuideCommand
  readonly output: string
  readonly exitCode: number
}

/** The reader of the guide: a copy of the example, its containers, a bucket, and a shell that goes from command to command. */
export class GuideReader implements AsyncDisposable {
  readonly #directory: string
  readonly #environment: Readonly<Record<string, string | undefined>>
  /** What the text of the guide stands for here. */
  readonly #real: readonly (readonly [inGuide: string, real: string])[]
  readonly #held: AsyncDisposableStack

  private constructor(
    directory: string,
    environment: Readonly<Record<string, string | undefined>>,
    real: readonly (readonly [string, string])[],
    held: AsyncDisposableStack,
  ) {
    this.#directory = directory
    this.#environment = environment
    this.#real = real
    this.#held = held
  }

  /** Returns why there can be none, having said it loudly. */
  static async start(): Promise<GuideReader | string> {
    await using owned = new AsyncDisposableStack()
    const engine = await TestEngine.start()
    if (typeof engine === 'string') return engine
    owned.use(engine)
    const s3 = await TestS3Server.start()
    if (typeof s3 === 'string') return s3
    owned.use(s3)
    const [directory, home, bin] = [await temporary(owned), await temporary(owned), await temporary(owned)]
    await cp(example, directory, { recursive: true })
    const programs = { pgrevive: `exec ${process.execPath} ${program} "$@"`, docker: engine.client }
    for (const [name, script] of Object.entries(programs)) {
      await writeFile(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    }
    await promisify(execFile)(join(bin, 'docker'), ['exec', 'travelscout-app', 'sh', '-c', application])
    const bucket = await s3.createBucket()
    const real = [
      [guideBucket, `s3://${bucket}?endpoint=${s3.endpoint}`],
      [guideDirectory, directory],
      [guideHome, home],
      ['/usr/local/bin', bin],
      ['/usr/lib/node_modules/pgrevive/bin/pgrevive.js', program],
      ['/usr/bin/node', process.execPath],
      ['unix:///var/run/docker.sock', engine.environment.DOCKER_HOST],
    ] as const
    const config = join(directory, 'pgrevive.yaml')
    await writeFile(config, toReal(await readFile(config, 'utf8'), real))
    await mkdir(join(home, '.aws'))
    await writeFile(join(home, '.aws', 'credentials'), credentialsFile(s3.credentials('owner')), { mode: 0o600 })
    const environment = {
      PATH: `${bin}:/usr/sbin:/usr/bin:/sbin:/bin`,
      HOME: home,
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      COLUMNS: '160',
      ...engine.environment,
    }
    const target = await resolveConnection(
      'postgres://travelscout:travelscout_password@127.0.0.1:55415/travelscout?sslmode=disable',
      { environment: {} },
    )
    await loadSql(target, fixture, { variables: { scale: '1' } })
    return new GuideReader(directory, environment, real, owned.move())
  }

  /** Follows the guide, and hands over each command that was run. */
  async *follow(parts: readonly GuidePart[]): AsyncGenerator<Ran> {
    for (const part of parts) {
      if (part.kind !== 'commands') continue
      for (const command of part.commands) yield await this.#run(command)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync()
  }

  async #run(command: GuideCommand): Promise<Ran> {
    // the working directory and exported variables go from one to the next, as in a shell
    const script = `. ./.shell 2>/dev/null; cd "\${PWD_OF_SHELL:-.}"; exec 2>&1
${toReal(command.command, this.#real)}
rc=$?; export PWD_OF_SHELL=$PWD; export -p >${this.#directory}/.shell; exit $rc`
    const child = spawn('/bin/bash', ['--noprofile', '--norc', '-c', script], {
      cwd: this.#directory,
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [printed] = await Promise.all([text(child.stdout), once(child, 'close')])
    return { command, output: fromReal(withoutProgress(printed), this.#real), exitCode: child.exitCode ?? -1 }
  }
}

export async function readGuide(): Promise<GuidePart[]> {
  return parseGuide(await readFile(guideFile, 'utf8'))
}

/** Without what tells how far a command is, where there is no terminal to draw it on: "compare      100 %  8.1 MB of …". */
function withoutProgress(printed: string): string {
  return printed
    .replaceAll(/^note: removed .*, which a killed run had left\n/gm, '') // another test's
    .replaceAll(/^(?:[a-z]+ ){0,3}[a-z]+ +\d[\d.,]* (?:%|B|kB|MB|GB|items?|rows?|ms|s)(?: .*)?\n/gm, '')
}

async function temporary(owned: AsyncDisposableStack): Promise<string> {
  const directory = await mkdtemp(directoryPrefix)
  owned.defer(() => rm(directory, { recursive: true, force: true }))
  return directory
}

function credentialsFile({ AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret }: Record<string, string>): string {
  return `[default]\naws_access_key_id = ${id}\naws_secret_access_key = ${secret}\n`
}

function toReal(inGuide: string, names: readonly (readonly [string, string])[]): string {
  return names.reduce((result, [guide, real]) => result.replaceAll(guide, real), inGuide)
}

function fromReal(output: string, names: readonly (readonly [string, string])[]): string {
  return names.reduce((result, [guide, real]) => result.replaceAll(real, guide), output)
}
