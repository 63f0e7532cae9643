import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { hasCode } from '../../core/app-error.ts'
import { type ConnectionTarget, resolveConnection } from '../target/connection-target.ts'
import { Connection } from '../wire/connection.ts'
import { PostgresProcess } from './postgres-process.ts'
import { prepareServerBinaries } from './prepare-server-binaries.ts'
import { createScratchCluster } from './scratch-cluster.ts'
import { createScratchDirectory } from './scratch-directory.ts'
import { findServerAccount, serverEnvironment } from './server-account.ts'
import { chooseServerBinaries } from './server-binaries.ts'

/** A server that can be killed and started again. */
export interface CrashingServer extends AsyncDisposable {
  readonly target: ConnectionTarget
  /** kill -9 of its first process; the others follow. Resolves when it has recovered. */
  crash(): Promise<void>
}

export async function startCrashingServer(): Promise<CrashingServer> {
  await using owned = new AsyncDisposableStack()
  const environment = process.env
  const account = await findServerAccount()
  const directory = owned.use(await createScratchDirectory({ account, parentDirectory: tmpdir() }))
  const copyDirectory = join(directory.path, 'postgres')
  const binaries = await chooseServerBinaries(15, { environment })
  const binDirectory = await prepareServerBinaries(binaries, { account, copyDirectory, environment })
  const how = { binDirectory, account, environment: serverEnvironment(environment) }
  const password = 'crashes'
  const settings = { synchronous_commit: 'on', full_page_writes: 'on', wal_level: 'replica' }
  await createScratchCluster({ ...how, directory, password, settings })
  const { dataDirectory, socketDirectory, path } = directory
  const start = () => PostgresProcess.start({ ...how, dataDirectory, logFile: join(path, 'log') })
  const state = { running: await start() }
  owned.defer(() => state.running[Symbol.asyncDispose]())
  const uri = `postgresql://postgres:${password}@/postgres?host=${encodeURIComponent(socketDirectory)}&port=5432&sslmode=disable`
  const target = await resolveConnection(uri, { environment: {} })
  const held = owned.move()
  return {
    target,
    crash: async () => {
      process.kill(state.running.processId, 'SIGKILL')
      await state.running[Symbol.asyncDispose]()
      for (;;) {
        try {
          // its predecessor's postmaster.pid says that it is ready, and the last processes of that hold its memory
          state.running = await start()
          await using _ = await Connection.connect(target)
          return
        } catch (error) {
          if (!hasCode(error, 'postgres-start-failed', 'connection-failed')) throw error
          await state.running[Symbol.asyncDispose]()
          await delay(100)
        }
      }
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
