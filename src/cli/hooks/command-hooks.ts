import { dirname } from 'node:path'
import { AppError } from '../../core/app-error.ts'
import type { HookContainers } from '../../hooks/hook-containers.ts'
import { type Hooks, openHooks } from '../../hooks/open-hooks.ts'
import { Connection } from '../../postgres/wire/connection.ts'
import type { CommandContext } from '../command-context.ts'
import { mergeHooks } from '../config/config-hooks.ts'
import { findDatabase } from '../databases/database-target.ts'
import { findWay } from '../databases/reach-database.ts'
import { printable, printableLines } from '../terminal/printable.ts'
import { redactPasswords } from '../terminal/redact-passwords.ts'

/** The hooks of one database, as backups name it; none with --no-hooks. */
export async function hooksOf(
  database: string,
  { hooks: wanted }: { readonly hooks: boolean },
  context: CommandContext,
): Promise<Hooks> {
  const { terminal, environment, currentDirectory, signal, run } = context
  const { config } = await context.settings()
  const { lists } = mergeHooks(config?.databases.get(database)?.hooks, config?.hooks)
  return openHooks(wanted ? lists : {}, {
    environment,
    directory: config ? dirname(config.file) : currentDirectory,
    run,
    signal,
    containers: noContainers,
    reachDatabase: (name, tryUntil) => reachDatabase(name, tryUntil, context),
    onLine: (line) => {
      terminal.record(line)
      if (terminal.verbose) terminal.printError(`${printable(line)}\n`)
    },
    warn: (text) => terminal.warn(printableLines(redactPasswords(text), 2)),
  })
}

async function noContainers(): Promise<HookContainers> {
  throw new AppError('usage-invalid', 'hooks do nothing with containers yet')
}

async function reachDatabase(name: string, signal: AbortSignal, context: CommandContext): Promise<void> {
  const { config } = await context.settings()
  const database = await findDatabase(name, { config, environment: context.environment })
  const { target } = await findWay(database, { ...context, signal })
  await using _ = await Connection.connect(target, { signal })
}
