import { awaitServer } from '../../containers/await-server.ts'
import { type DataPlace, keptPlace } from '../../containers/data-place.ts'
import { Engine } from '../../containers/engine.ts'
import { startAll, stopAll } from '../../containers/project-services.ts'
import { journalRemoval, removeJournal, writeJournal } from '../../containers/recovery-journal.ts'
import { listKept, setAside } from '../../containers/set-aside.ts'
import { AppError, messageOf } from '../../core/app-error.ts'
import { quoteIdentifier } from '../../postgres/sql/quote.ts'
import { type ConnectionTarget, withDatabase } from '../../postgres/target/connection-target.ts'
import { restoreEverything } from '../../repository/backups/restore-plan.ts'
import { connectForMaintenance } from '../../restore/maintenance-connection.ts'
import { restoreBackup } from '../../restore/restore-backup.ts'
import type { RestoreOutcome } from '../../restore/restore-job.ts'
import { verifyRestored } from '../../restore/verify-restored.ts'
import type { CommandContext } from '../command-context.ts'
import { describeSelection } from '../../repository/backups/manifest-selection.ts'
import { printable } from '../../core/text/printable.ts'
import { shellWord } from '../../core/text/shell-word.ts'
import type { ChosenBackup } from './choose-backups.ts'
import type { RecoveryPlan } from './plan-recovery.ts'

/** A fresh cluster takes seconds; a slow disk, or scripts of the image, take longer. */
const startMs = 300_000
/** For starting again what was stopped, after a signal. */
const undoMs = 120_000

export interface Recovered {
  readonly restored: readonly {
    readonly chosen: ChosenBackup
    readonly outcome: RestoreOutcome
    readonly notes: readonly string[]
  }[]
  /** What is kept of what was in the place, oldest first: more than one where earlier runs did not end. */
  readonly kept: readonly DataPlace[]
  /** How long the services were stopped. */
  readonly downMs: number
}

/**
 * Does what the plan says. What fails before the data is set aside leaves all as it was; after that the services stay
 * stopped, since an application that starts on an empty database makes things worse, and the same command goes on.
 */
export async function recoverProject(plan: RecoveryPlan, context: CommandContext): Promise<Recovered> {
  const { engine, server, data, journal } = plan
  const startedMs = performance.now()
  const restored = journal.phase === 'restored' ? [] : await restoreAll(plan, context)
  try {
    await server.start()
    await awaitServer(engine, plan.reference, context, startMs)
    tell(`starting ${journal.services.join(', ')}`, context)
    await startAll(engine, journal.services)
    const kept = await listKept(server, data, journal.run)
    await removeJournal(engine, server.name)
    return { restored, kept, downMs: Math.round(performance.now() - startedMs) }
  } catch (error) {
    throw explain(
      error,
      `the database is restored and verified, but not all of ${[server.name, ...journal.services].join(', ')} run. ` +
        `Mend what failed, and run "${plan.goesOn}" again: it only starts them. Should the database be damaged anew: ` +
        `${journalRemoval(server.name)}, then "${plan.goesOn}"`,
      context,
    )
  }
}

/** Leaves a journal that says so. */
async function restoreAll(plan: RecoveryPlan, context: CommandContext): Promise<Recovered['restored']> {
  const { engine, server, services, data, kept, journal } = plan
  if (!plan.resumed) await writeJournal(engine, server.name, journal)
  try {
    tell(`stopping ${[...services, server].map(({ name }) => name).join(', ')}`, context)
    await stopAll(services)
    await server.stop()
  } catch (error) {
    throw plan.resumed ? stillStopped(error, plan, context) : await undoStop(error, plan, context)
  }
  try {
    tell(`keeping what is in the ${data.name} as the ${kept.name}`, context)
    const first = plan.resumed ? keptPlace(data, journal.run) : kept
    await setAside(server, data, { kept, first })
    tell(`starting ${server.name} on a fresh ${data.kind}`, context)
    await server.start()
    const { target } = await awaitServer(engine, plan.reference, context, startMs)
    const restored: Recovered['restored'][number][] = []
    for (const chosen of plan.backups) restored.push(await restoreInto(target, chosen, context))
    // from here on what was restored is used, and must never be taken for damaged
    await writeJournal(engine, server.name, { ...journal, phase: 'restored' })
    return restored
  } catch (error) {
    throw stillStopped(error, plan, context)
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
  // The image has just made it, with what its scripts put there; whoever looks in already is no reason to fail.
  await maintenance.execute(`DROP DATABASE IF EXISTS ${quoteIdentifier(target.database)} WITH (FORCE)`, { signal })
  const outcome = await restoreBackup(repository, backup, target, { ...options, createRoles: true, analyze: true })
  const leftOut = describeSelection(backup.record.selection)
  const notes = leftOut === undefined ? [] : [`this backup does not hold everything; left out were ${leftOut}`]
  notes.push(...outcome.notes)
  await verifyRestored(await repository.openReader(context), manifest, target, maintenance.serverVersionNumber, {
    ...options,
    environment,
    onNote: (note) => notes.push(note),
  })
  return { chosen, outcome, notes }
}

/** No data was touched yet: all that ran runs again, also after a signal. */
async function undoStop(cause: unknown, plan: RecoveryPlan, context: CommandContext): Promise<unknown> {
  const { server, journal } = plan
  const names = [...(server.isRunning ? [server.name] : []), ...journal.services]
  try {
    await using engine = await Engine.open({ ...context, signal: AbortSignal.timeout(undoMs) })
    if (server.isRunning) await (await engine.container(server.name)).start()
    await startAll(engine, journal.services)
    await removeJournal(engine, server.name)
  } catch (error) {
    return explain(
      cause,
      `no data was touched, but what was stopped could not be started again (${messageOf(error)}): ` +
        `"docker start ${names.map(shellWord).join(' ')}", or "${plan.goesOn}" goes on`,
      context,
    )
  }
  return explain(cause, `no data was touched, and what was stopped runs again: ${names.join(', ')}`, context)
}

function stillStopped(error: unknown, plan: RecoveryPlan, context: CommandContext): unknown {
  const { data, kept, journal } = plan
  const stopped =
    journal.services.length === 0
      ? ''
      : ` ${journal.services.join(', ')} stay stopped, so that nothing works on a database that is not whole.`
  return explain(
    error,
    `what was in the ${data.name} is safe: it is there, or kept as the ${kept.name}.${stopped} ` +
      `Run "${plan.goesOn}" again: it goes on`,
    context,
  )
}

/** The same failure, or the signal that made it, with what it left behind. */
function explain(thrown: unknown, state: string, { signal }: CommandContext): unknown {
  if (signal.aborted && signal.reason instanceof AppError) {
    return new AppError(signal.reason.code, signal.reason.message, { cause: thrown, hint: state })
  }
  if (!(thrown instanceof AppError)) return thrown
  const { code, message, hint, cause } = thrown
  return new AppError(code, message, { cause, hint: hint === undefined ? state : `${hint}; ${state}` })
}

function tell(text: string, { terminal }: CommandContext): void {
  terminal.say(`${text}\n`)
}
