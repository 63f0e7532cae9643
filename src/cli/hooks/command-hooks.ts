import { dirname } from 'node:path'
import { isContainerUrl, parseContainerUrl } from '../../containers/container-reference.ts'
import type { HookContainers } from '../../hooks/hook-containers.ts'
import { type Hooks, openHooks } from '../../hooks/open-hooks.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import type { CommandContext } from '../command-context.ts'
import { mergeHooks } from '../../config/config-hooks.ts'
import type { ConfiguredDatabase } from '../../config/config.ts'
import { findDatabase } from '../databases/database-target.ts'
import { findWay } from '../databases/reach-database.ts'
import { printable, printableLines } from '../../core/text/printable.ts'
import { redactPasswords } from '../../core/text/redact-passwords.ts'

/** The hooks of one database, as backups name it; none with --no-hooks. */
export async function hooksOf(
  database: string,
  { hooks: wanted }: { readonly hooks: boolean },
  context: CommandContext,
): Promise<Hooks> {
  const { terminal, environment, currentDirectory, signal, run } = context
  const { config } = await context.settings()
  const configured = config?.databases.get(database)
  const { lists, project = projectOf(configured) } = mergeHooks(configured?.hooks, config?.hooks)
  let containers: Promise<HookContainers> | undefined
  return openHooks(wanted ? lists : {}, {
    environment,
    directory: config ? dirname(config.file) : currentDirectory,
    run,
    signal,
    containers: () => (containers ??= openContainers(project, context)),
    reachDatabase: (name, tryUntil) => reachDatabase(name, tryUntil, context),
    onLine: (line) => {
      terminal.record(line)
      if (terminal.verbose) terminal.printError(`${printable(redactPasswords(line))}\n`)
    },
    warn: (text) => terminal.warn(printableLines(redactPasswords(text), 2)),
  })
}

/** Of the database itself, if it is one of a compose project. */
function projectOf(database: ConfiguredDatabase | undefined): string | undefined {
  if (!database || !isContainerUrl(database.conninfo)) return undefined
  const place = parseContainerUrl(database.conninfo).in
  return place.kind === 'service' ? place.project : undefined
}

async function openContainers(project: string | undefined, context: CommandContext): Promise<HookContainers> {
  const { Engine } = await import('../../containers/engine.ts') // others need not pay for it
  const { EngineContainers } = await import('../../hooks/engine-containers.ts')
  const { environment, homeDirectory } = context
  // not that of the run: what a hook stopped is started again after it was stopped, too
  const { signal } = new AbortController()
  return new EngineContainers(await Engine.open({ environment, homeDirectory, signal }), project)
}

async function reachDatabase(name: string, signal: AbortSignal, context: CommandContext): Promise<void> {
  const { config } = await context.settings()
  const database = await findDatabase(name, { config, environment: context.environment })
  const { target } = await findWay(database, { ...context, signal })
  await using _ = await Connection.connect(target, { signal })
}
