import { awaitServer } from '../../containers/await-server.ts'
import { startAll, stopAll } from '../../containers/project-services.ts'
import { removeJournal, writeJournal } from '../../containers/recovery-journal.ts'
import { setAside } from '../../containers/set-aside.ts'
import { AppError } from '../../core/app-error.ts'
import { quoteIdentifier } from '../../postgres/sql/quote.ts'
import { type ConnectionTarget, withDatabase } from '../../postgres/target/connection-target.ts'
import { restoreEverything } from '../../repository/backups/restore-plan.ts'
import { connectForMaintenance } from '../../restore/maintenance-connection.ts'
import { restoreBackup } from '../../restore/restore-backup.ts'
import type { RestoreOutcome } from '../../restore/restore-job.ts'
import { verifyRestored } from '../../restore/verify-restored.ts'
import type { CommandContext } from '../command-context.ts'
import { printable } from '../terminal/printable.ts'
import type { ChosenBackup } from './choose-backups.ts'
import type { RecoveryPlan } from './plan-recovery.ts'

/** A fresh cluster takes seconds; a slow disk, or scripts of the image, take longer. */
const startMs = 300_000

export interface Recovered {
  readonly restored: readonly {
    readonly chosen: ChosenBackup
    readonly outcome: RestoreOutcome
    readonly notes: readonly string[]
  }[]
  /** How long the services were stopped. */
  readonly downMs: number
}

/**
 * Does what the plan says. What fails before the data is set aside leaves all as it was; after that the services stay
 * stopped, since an application that starts on an empty database makes things worse, and the same command goes on.
 */
export async function recoverProject(plan: RecoveryPlan, context: CommandContext): Promise<Recovered> {
  const { engine, server, services, data, kept, journal } = plan
  const startedMs = performance.now()
  if (!plan.resumed) await writeJournal(engine, server.name, journal)
  try {
    tell(`stopping ${[...services, server].map(({ name }) => name).join(', ')}`, context)
    await stopAll(services)
    await server.stop()
  } catch (error) {
    if (!plan.resumed) await undoStop(plan, error)
    throw error
  }
  try {
    tell(`keeping what is in the ${data.name} as the ${kept.name}`, context)
    await setAside(server, data, kept)
    tell(`starting ${server.name} on a fresh ${data.kind}`, context)
    await server.start()
    const { target } = await awaitServer(engine, plan.reference, context, startMs)
    const restored: Recovered['restored'][number][] = []
    for (const chosen of plan.backups) restored.push(await restoreInto(target, chosen, context))
    // from here on there is nothing to go on with: what was restored is used
    await removeJournal(engine, server.name)
    tell(`starting ${journal.services.join(', ')}`, context)
    await startAll(engine, journal.services)
    return { restored, downMs: Math.round(performance.now() - startedMs) }
  } catch (error) {
    throw stillStopped(error, plan)
  }
}

async function restoreInto(server: ConnectionTarget, chosen: ChosenBackup, context: CommandContext) {
  const { repository, backup, manifest } = chosen
  const target = withDatabase(server, manifest.database.name)
  const { jobs } = await context.settings()
  const { onProgress, environment, signal } = context
  const options = { choices: restoreEverything, jobs, onProgress, signal }
  tell(`restoring ${printable(target.database)} from ${backup.id}`, context)
  await using maintenance = await connectForMaintenance(target, context)
  // The image has just made it, with what its scripts put there.
  await maintenance.execute(`DROP DATABASE IF EXISTS ${quoteIdentifier(target.database)}`, { signal })
  const outcome = await restoreBackup(repository, backup, target, { ...options, createRoles: true, analyze: true })
  const notes = [...outcome.notes]
  await verifyRestored(await repository.openReader(context), manifest, target, maintenance.serverVersionNumber, {
    ...options,
    environment,
    onNote: (note) => notes.push(note),
  })
  return { chosen, outcome, notes }
}

/** Nothing was touched yet: all that ran runs again. */
async function undoStop({ engine, server, journal }: RecoveryPlan, cause: unknown): Promise<void> {
  try {
    if (server.isRunning) await server.start()
    await startAll(engine, journal.services)
    await removeJournal(engine, server.name)
  } catch (error) {
    throw new SuppressedError(error, cause, 'what was stopped could not be started again')
  }
}

function stillStopped(error: unknown, { data, kept, journal, project }: RecoveryPlan): unknown {
  if (!(error instanceof AppError)) return error
  const stopped =
    journal.services.length === 0
      ? ''
      : ` ${journal.services.join(', ')} stay stopped, so that nothing works on a database that is not whole.`
  return new AppError(error.code, error.message, {
    cause: error.cause,
    hint:
      `what was in the ${data.name} is safe: the ${kept.name} holds it.${stopped} Mend what failed` +
      `${error.hint === undefined ? '' : ` (${error.hint})`} and run "pgrevive recover --project ${project}" again: it goes on`,
  })
}

function tell(text: string, { terminal }: CommandContext): void {
  terminal.say(`${text}\n`)
}
