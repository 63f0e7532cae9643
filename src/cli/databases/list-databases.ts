import { inContext } from '../../core/app-error.ts'
import { printable } from '../../core/text/printable.ts'
import type { CommandContext } from '../command-context.ts'
import type { Outcome } from '../define-command.ts'
import { errorDocument } from '../terminal/error-text.ts'
import { type FailedRepository, expected } from '../repositories/repository-access.ts'
import { databasesOn } from './server-databases.ts'

/** The databases that a backup without names is of. A server that can not be asked fails; the others are told all the same. */
export async function listDatabases(context: CommandContext): Promise<Outcome> {
  const { config } = await context.settings()
  const databases: { name: string; server: string | null }[] = Array.from(config?.databases.keys() ?? [], (name) => ({
    name,
    server: null,
  }))
  const failed: FailedRepository[] = []
  for (const server of config?.servers.values() ?? []) {
    try {
      for (const name of await databasesOn(server, context)) databases.push({ name, server: server.name })
    } catch (error) {
      failed.push({ name: server.name, error: expected(error, context) })
    }
  }
  const outcome = {
    document: { databases, failed: failed.map(({ name, error }) => ({ server: name, error: errorDocument(error) })) },
    text: databases.map(({ name }) => `${printable(name)}\n`).join(''),
  }
  const [first] = failed
  return first ? { ...outcome, failure: inContext(`server ${first.name}`, first.error) } : outcome
}
