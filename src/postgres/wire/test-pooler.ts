import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type ConnectionTarget, socketPath } from '../target/connection-target.ts'
import { findInstalledPrograms } from '../server/installed-programs.ts'
import { findServerAccount } from '../server/server-account.ts'
import type { TestServer } from '../server/test-server.ts'

const environment = { PATH: `${process.env['PATH']}:/usr/sbin` }
const [pgbouncer] = await findInstalledPrograms('pgbouncer', environment)

/** For `skip`. */
export const withoutPgBouncer = pgbouncer === undefined && 'needs PgBouncer: apt-get install pgbouncer'

const port = 6432
const startLimitMs = 10_000

/** A PgBouncer before a test server, on a Unix socket. */
export interface TestPooler extends AsyncDisposable {
  /** The server's superuser, through the pooler. */
  readonly target: ConnectionTarget
}

export async function startTestPooler(
  server: TestServer,
  mode: 'session' | 'transaction' | 'statement',
): Promise<TestPooler> {
  await using owned = new AsyncDisposableStack()
  const account = await findServerAccount()
  const directory = await mkdtemp(join(tmpdir(), 'pgrevive-pooler-'))
  owned.defer(() => rm(directory, { recursive: true }))
  await chmod(directory, 0o711)
  if (account) await chown(directory, account.uid, account.gid)
  const [host] = server.target.hosts
  const users = join(directory, 'users')
  await writeFile(users, `"postgres" "${host && server.target.password(host)}"\n`)
  const settings = [
    '[databases]',
    `* = host=${host?.host} port=${host?.port}`,
    '[pgbouncer]',
    `pool_mode = ${mode}`,
    `unix_socket_dir = ${directory}`,
    'listen_addr =',
    `listen_port = ${port}`,
    'auth_type = plain',
    `auth_file = ${users}`,
  ]
  const file = join(directory, 'pgbouncer.ini')
  await writeFile(file, settings.join('\n'))
  const child = spawn(pgbouncer ?? '', ['--quiet', file], { ...account, stdio: 'ignore', cwd: directory })
  const ended = once(child, 'exit')
  owned.defer(async () => {
    child.kill('SIGINT')
    await ended
  })
  const deadline = Date.now() + startLimitMs
  while (!(await exists(socketPath(directory, port)))) {
    if (Date.now() > deadline || child.exitCode !== null) throw new Error('PgBouncer does not start')
    await delay(20)
  }
  const held = owned.move()
  return {
    target: {
      ...server.target,
      hosts: [{ host: directory, port }],
      password: () => host && server.target.password(host),
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
