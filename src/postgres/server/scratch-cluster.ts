import { execFile } from 'node:child_process'
import { appendFile, chown, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { AppError } from '../../core/app-error.ts'
import type { ScratchDirectory } from './scratch-directory.ts'
import type { ServerAccount } from './server-account.ts'

export interface ScratchClusterOptions {
  /** Where `initdb` lies. */
  readonly binDirectory: string
  readonly directory: ScratchDirectory
  readonly account: ServerAccount
  /** All of it, not additions. */
  readonly environment: Record<string, string | undefined>
  /** Of the superuser, `postgres`. */
  readonly password: string
  readonly locale?: string | undefined
  readonly initdbArguments?: readonly string[] | undefined
  readonly settings?: Readonly<Record<string, string>> | undefined
}

/** Nothing needs to survive a crash; no port is taken. */
const throwAwaySettings = {
  listen_addresses: '',
  port: '5432',
  unix_socket_permissions: '0700',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  autovacuum: 'on',
  shared_buffers: '128MB',
  // files in the cluster: a container's /dev/shm has 64 MB, too little for a parallel index build
  dynamic_shared_memory_type: 'mmap',
  max_locks_per_transaction: '1024',
  max_connections: '50',
  log_destination: 'stderr',
  log_checkpoints: 'off',
  lc_messages: 'C',
  cluster_name: 'pgrevive scratch',
}

/** Creates a cluster in UTF8, with no way in but the password. Throws `postgres-start-failed`. */
export async function createScratchCluster(options: ScratchClusterOptions): Promise<void> {
  const { dataDirectory, socketDirectory } = options.directory
  await initialize(options)
  const settings = { ...throwAwaySettings, unix_socket_directories: `"${socketDirectory}"`, ...options.settings }
  await appendFile(join(dataDirectory, 'postgresql.conf'), `\n${Object.entries(settings).map(settingLine).join('')}`)
}

/** Takes no signal: initdb ends within seconds, and must have ended before its directory can be removed. */
async function initialize(options: ScratchClusterOptions): Promise<void> {
  const { account, binDirectory, directory, environment } = options
  const passwordFile = join(directory.path, 'password')
  await writeFile(passwordFile, options.password, { mode: 0o600, flag: 'wx' })
  if (account) await chown(passwordFile, account.uid, account.gid)
  const locale = options.locale === undefined ? '--no-locale' : `--locale=${options.locale}`
  const access = ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`]
  const cluster = ['--encoding=UTF8', locale, '--no-sync', ...(options.initdbArguments ?? [])]
  const initdbArguments = [...access, ...cluster, '-D', directory.dataDirectory]
  try {
    const where = { ...account, cwd: directory.dataDirectory, env: environment }
    await promisify(execFile)(join(binDirectory, 'initdb'), initdbArguments, where)
  } catch (error) {
    throw new AppError('postgres-start-failed', `initdb failed: ${wordsOf(error)}`, { cause: error })
  } finally {
    await rm(passwordFile)
  }
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const said = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim() : ''
  return said === '' ? error.message : said
}

function settingLine([name, value]: readonly [string, string]): string {
  return `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "''").replaceAll('\n', '\\n')}'\n`
}
