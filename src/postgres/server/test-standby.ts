import { execFile } from 'node:child_process'
import { appendFile, chown, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type ConnectionTarget, withDatabase } from '../target/connection-target.ts'
import { Connection } from '../wire/connection.ts'
import { PostgresProcess } from './postgres-process.ts'
import { prepareServerBinaries } from './prepare-server-binaries.ts'
import { createScratchDirectory } from './scratch-directory.ts'
import { findServerAccount, serverEnvironment } from './server-account.ts'
import { chooseServerBinaries } from './server-binaries.ts'
import type { TestServer } from './test-server.ts'

/** For `startTestServer`: what a server must have been started with to have a standby. */
export const primarySettings = { wal_level: 'replica', max_wal_senders: '4' }

/** A hot standby, with the users and the password of its primary. */
export interface TestStandby extends AsyncDisposable {
  readonly target: ConnectionTarget
  /** Waits until all that the primary has committed by now can be seen. */
  catchUp(): Promise<void>
}

/** Copies the primary's cluster while it runs, by the functions for that, so that no pg_basebackup is needed. */
export async function startTestStandby(
  primary: TestServer,
  settings: Readonly<Record<string, string>> = {},
): Promise<TestStandby> {
  await using owned = new AsyncDisposableStack()
  const environment = process.env
  const account = await findServerAccount()
  const directory = owned.use(await createScratchDirectory({ account, parentDirectory: tmpdir() }))
  const { dataDirectory, socketDirectory } = directory
  const [host] = primary.target.hosts
  const password = host && primary.target.password(host)
  const label = await copyCluster(primary, dataDirectory)
  const conninfo = `host=${host?.host} port=5432 user=postgres password=${password}`
  const lines = { unix_socket_directories: `"${socketDirectory}"`, primary_conninfo: conninfo, ...settings }
  const text = Object.entries(lines).map(([name, value]) => `${name} = '${value}'\n`)
  await appendFile(join(dataDirectory, 'postgresql.conf'), text.join(''))
  for (const [name, content] of Object.entries({ 'standby.signal': '', backup_label: label })) {
    await writeFile(join(dataDirectory, name), content)
    if (account) await chown(join(dataDirectory, name), account.uid, account.gid)
  }
  const binaries = await chooseServerBinaries(primary.major, { environment })
  const copyDirectory = join(directory.path, 'postgres')
  const binDirectory = await prepareServerBinaries(binaries, { account, copyDirectory, environment })
  const logFile = join(directory.path, 'log')
  const how = { account, environment: serverEnvironment(environment) }
  owned.use(await PostgresProcess.start({ binDirectory, dataDirectory, logFile, ...how }))
  const target = { ...primary.target, hosts: [{ host: socketDirectory, port: 5432 }], password: () => password }
  const held = owned.move()
  return {
    target,
    catchUp: async () => {
      await using there = await primary.connect()
      const [[lsn] = [null]] = await there.query('SELECT pg_current_wal_insert_lsn()')
      await using here = await Connection.connect(withDatabase(target, 'postgres'))
      const caughtUp = `SELECT pg_last_wal_replay_lsn() >= '${lsn}'`
      while ((await here.query(caughtUp))[0]?.[0] !== 't') await here.execute('SELECT pg_sleep(0.02)')
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

/** Returns what the copy needs as its backup_label. */
async function copyCluster(primary: TestServer, dataDirectory: string): Promise<string> {
  await using connection = await primary.connect()
  const [start, stop] =
    primary.major >= 15
      ? ["pg_backup_start('standby', true)", 'pg_backup_stop()']
      : ["pg_start_backup('standby', true, false)", 'pg_stop_backup(false)']
  await connection.execute(`SELECT ${start}`)
  await promisify(execFile)('cp', ['-a', `${join(primary.storageDirectory, 'cluster')}/.`, dataDirectory])
  await rm(join(dataDirectory, 'postmaster.pid'))
  const [[label] = [null]] = await connection.query(`SELECT labelfile FROM ${stop}`)
  return label ?? ''
}
