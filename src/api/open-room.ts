import { dirname } from 'node:path'
import { Reach } from '../service/reach.ts'
import { runEnvironment } from '../service/service.ts'
import type { AccessRoom } from './access/open-access.ts'
import type { ApiRoom } from './api-room.ts'
import type { ApiService } from './api-service.ts'
import { Ask } from './asking/ask.ts'
import type { Names } from './asking/run-request.ts'
import { ConfigText } from './settings/config-text.ts'
import { SecretFiles } from './settings/secret-files.ts'
import { WaitingKits } from './settings/waiting-kits.ts'

/** What routes work with, for one service. */
export function openRoom(service: ApiService, access: AccessRoom, closing: AbortSignal): ApiRoom {
  const { configFile, options } = service
  const directory = dirname(configFile)
  const secrets = new SecretFiles(configFile)
  const config = new ConfigText({
    file: configFile,
    environment: options.environment,
    homeDirectory: options.homeDirectory,
    reach: (host) => new Reach(service.config.service.reachPrivate).resolve(host),
    onChange: () => service.lookAtConfig(),
    secrets,
    stateDirectory: service.state.directory,
  })
  const ask = new Ask({ configFile, directory, environment: runEnvironment(options.environment) })
  return {
    service,
    access,
    ask,
    config,
    secrets,
    kits: new WaitingKits(service.state),
    names: () => namesOf(service),
    closing,
  }
}

function namesOf({ config, catalog }: ApiService): Names {
  return {
    databases: catalog.databases().flatMap(({ name, gone }) => (gone ? [] : [name])),
    reachable: catalog.databases().flatMap(({ name, source }) => (source === null ? [] : [name])),
    repositories: config.repositories.map(({ name }) => name),
    refreshes: [...config.refreshes.keys()],
    databaseOf: (backup) => catalog.backup(backup)?.database,
  }
}
