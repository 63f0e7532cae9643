import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, readdir, rm, stat, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type ErrorCode, errorCodes } from '../../core/app-error.ts'
import type { TestServer } from '../../postgres/server/test-server.ts'
import { backupRecordSchema, proofSchema } from '../../repository/backups/backup-record.ts'

const program = fileURLToPath(new URL('../../../bin/pgrevive.js', import.meta.url))

type Variables = Readonly<Record<string, string | undefined>>

/** A run of pgrevive that is over. */
export interface Ended {
  readonly args: readonly string[]
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess & { readonly pid: number; readonly stdout: Readable }
  readonly ended: Promise<Ended>
}

/** A machine for pgrevive to run on, as far as a process can tell: a home, a working directory and variables of its own. */
export class TestHost implements AsyncDisposable {
  /** The working directory; `home`, and the repository that PGREVIVE_REPO names, `backups`, lie in it. */
  readonly directory: string
  readonly environment: Variables

  private constructor(directory: string, environment: Variables) {
    this.directory = directory
    this.environment = environment
  }

  /** Libpq's variables lead to `server`. */
  static async create(server?: Pick<TestServer, 'target'>): Promise<TestHost> {
    const directory = await mkdtemp(join(tmpdir(), 'pgrevive-host-'))
    await mkdir(join(directory, 'home'))
    return new TestHost(directory, {
      PATH: process.env['PATH'],
      HOME: join(directory, 'home'),
      XDG_CONFIG_HOME: join(directory, 'home', 'config'),
      PGREVIVE_REPO: join(directory, 'backups'),
      // where Node itself would put it: a process then starts in half the time
      NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
      ...(server && connectionVariables(server)),
    })
  }

  path(...names: string[]): string {
    return join(this.directory, ...names)
  }

  /** The same machine with other variables; undefined removes one. */
  with(variables: Variables): TestHost {
    return new TestHost(this.directory, { ...this.environment, ...variables })
  }

  /** In a process group of its own. */
  async start(...args: string[]): Promise<Running> {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: this.directory,
      env: this.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const output = Promise.all([text(child.stdout).catch(() => ''), text(child.stderr), once(child, 'close')])
    const ended = output.then(([stdout, stderr]) => ({
      args,
      exitCode: child.exitCode,
      signal: child.signalCode,
      stdout,
      stderr,
    }))
    await once(child, 'spawn')
    assert.ok(hasProcessId(child))
    return { child, ended }
  }

  async run(...args: string[]): Promise<Ended> {
    return (await this.start(...args)).ended
  }

  /** Runs with `--json` what must succeed, and returns its document. */
  async document<Schema extends z.ZodType>(schema: Schema, ...args: string[]): Promise<z.output<Schema>> {
    const ended = await this.run(...args, '--json')
    assert.deepEqual([ended.exitCode, ended.stderr], [0, ''], ended.stdout)
    return schema.parse(JSON.parse(ended.stdout))
  }

  /** Runs what must succeed. */
  async succeed(...args: string[]): Promise<string> {
    const ended = await this.run(...args)
    assert.equal(ended.exitCode, 0, `${args.join(' ')}: ${ended.stderr}`)
    assert.doesNotMatch(ended.stderr, /^(error|bug)/m)
    return ended.stdout
  }

  /** Backs up one database and returns what the command says of it. */
  async backUp(...args: string[]): Promise<ListedBackup> {
    const { backups } = await this.document(backupDocument, 'backup', ...args)
    const [only] = backups
    assert.ok(only && backups.length === 1)
    return only
  }

  async list(): Promise<z.output<typeof listDocument>['backups']> {
    return (await this.document(listDocument, 'list')).backups
  }

  /** The repository holds this many backups, and everything in it can be read. */
  async assertClean(options: { readonly backups: number }): Promise<void> {
    const { checked, damages } = await this.document(checkDocument, 'check', '--level', 'content')
    assert.deepEqual([checked.records, damages], [options.backups, []])
  }

  /** Paths of all files below the repository that begin with `prefix`. */
  async objects(prefix = ''): Promise<string[]> {
    const root = this.path('backups')
    const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => path.startsWith(join(root, prefix)))
      .toSorted()
  }

  /** What is in the repository becomes older. */
  async passTime(hours: number): Promise<void> {
    const unfinished = this.path('backups', 'tmp')
    for (const path of await this.objects()) {
      if (path.startsWith(unfinished)) continue
      const then = new Date((await stat(path)).mtimeMs - hours * 3600 * 1000)
      await utimes(path, then, then)
    }
  }

  /** Every byte below the working directory. */
  async everyFile(): Promise<ReadonlyMap<string, Buffer>> {
    const entries = await readdir(this.directory, { recursive: true, withFileTypes: true })
    const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
    return new Map(await Promise.all(paths.map(async (path) => [path, await readFile(path)] as const)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** The command failed with one error, its exit code and, unless somebody stopped it, a hint. */
export function assertFailed(
  ended: Ended,
  code: ErrorCode,
  expected: { readonly message?: RegExp; readonly hint?: RegExp } = {},
): void {
  const said = ended.args.includes('--json') ? errorInDocument(ended) : errorInText(ended)
  assert.deepEqual([said.code, ended.exitCode], [code, errorCodes[code].exit], `${ended.stdout}${ended.stderr}`)
  if (expected.message) assert.match(said.message, expected.message)
  if (code !== 'interrupted') assert.match(said.hint, expected.hint ?? /./, `hint of "${said.message}"`)
}

function errorInDocument({ stdout, stderr }: Ended) {
  assert.equal(stderr.replace('\nstopping; once more to stop at once\n', ''), '')
  return z.object({ error: errorDocument }).parse(JSON.parse(stdout)).error
}

function errorInText({ stderr }: Ended) {
  const [error, ...others] = stderr.matchAll(/^(?:error \[([a-z-]+)\]|bug|error): (.*)$/gm)
  assert.deepEqual(others, [], stderr)
  const [, hint = ''] = /^hint: (.*)$/m.exec(stderr) ?? []
  return { code: error?.[1], message: error?.[2] ?? stderr, hint }
}

/** Waits until `found` returns something. */
export async function until<Value>(found: () => Promise<Value | undefined | false>): Promise<Value> {
  const deadline = Date.now() + 30_000
  for (;;) {
    const value = await found()
    if (value !== undefined && value !== false) return value
    assert.ok(Date.now() < deadline, 'waited in vain')
    await delay(5)
  }
}

/** Libpq's variables for the server's superuser. */
export function connectionVariables({ target }: Pick<TestServer, 'target'>): Variables {
  const [host] = target.hosts
  assert.ok(host)
  return {
    PGHOST: host.host,
    PGPORT: String(host.port),
    PGUSER: target.user,
    PGPASSWORD: target.password(host),
  }
}

function hasProcessId(child: ChildProcess): child is Running['child'] {
  return child.pid !== undefined && child.stdout !== null
}

const errorDocument = z.strictObject({
  code: z.string(),
  message: z.string(),
  hint: z.string().default(''),
  postgres: z.looseObject({ sqlState: z.string() }).optional(),
})

const listedBackup = backupRecordSchema.extend({ id: z.ulid() })
export type ListedBackup = z.output<typeof listedBackup>

export const backupDocument = z.object({
  /** As `list` shows them: without the warnings. */
  backups: z.array(z.object(listedBackup.shape)),
  failed: z.array(z.strictObject({ database: z.string(), error: errorDocument })),
})

export const listDocument = z.strictObject({
  backups: z.array(
    listedBackup.extend({
      proof: proofSchema.nullable(),
      pin: z.strictObject({ reason: z.string(), pinnedAt: z.iso.datetime() }).nullable(),
      checked: z.strictObject({ level: z.int(), at: z.iso.datetime(), isWhole: z.boolean() }).nullable(),
    }),
  ),
  damaged: z.array(z.string()),
  rounds: z
    .array(
      z.strictObject({
        repository: z.string(),
        level: z.int(),
        startedAt: z.iso.datetime(),
        doneBytes: z.int(),
        totalBytes: z.int(),
      }),
    )
    .optional(),
})

const findingDocument = z.strictObject({
  check: z.string(),
  answer: z.string(),
  verdict: z.enum(['good', 'note', 'bad']),
  meaning: z.string(),
  remedy: z.string().optional(),
})

export const doctorDocument = z.object({
  safe: z.boolean(),
  sections: z.array(z.strictObject({ subject: z.string(), findings: z.array(findingDocument) })),
})

export const initDocument = z.strictObject({
  repository: z.uuid(),
  location: z.string(),
  keyFile: z.string(),
  kitFile: z.string(),
  canRead: z.boolean(),
  store: z.array(findingDocument),
})

export const restoreDocument = z.strictObject({
  backup: z.ulid(),
  database: z.string(),
  tables: z.int(),
  rows: z.int(),
  bytes: z.int(),
  lost: z.array(z.strictObject({ object: z.string(), problem: z.string(), damage: z.string().optional() })),
  notes: z.array(z.string()),
  durationMs: z.int(),
})

export const proveDocument = z
  .object({ proofs: z.array(z.object({ database: z.string(), proof: proofSchema })).length(1) })
  .transform(({ proofs }) => ({ proof: proofSchema.parse(proofs[0]?.proof) }))

export const checkDocument = z.object({
  level: z.int(),
  checked: z.looseObject({ records: z.int(), packs: z.int() }),
  damages: z.array(
    z.strictObject({
      object: z.string(),
      problem: z.string(),
      backups: z.array(z.strictObject({ id: z.string(), streams: z.array(z.string()) })),
      repairable: z.boolean(),
    }),
  ),
  touched: z.array(z.strictObject({ id: z.string(), objects: z.array(z.string()) })),
  repairs: z.array(z.strictObject({ object: z.string(), problem: z.string(), done: z.string() })),
  salvagedChunks: z.int(),
  late: z.array(z.string()),
})
