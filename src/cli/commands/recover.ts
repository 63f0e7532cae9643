import { z } from 'zod'
import { Engine } from '../../containers/engine.ts'
import { checkSetAside } from '../../containers/set-aside.ts'
import { AppError } from '../../core/app-error.ts'
import { becomeSoleRun } from '../../core/sole-run.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { flag } from '../option-types.ts'
import { text } from '../../config/value-types.ts'
import { describePlan, describeRecovered } from '../recovering/describe-recovery.ts'
import { planRecovery } from '../recovering/plan-recovery.ts'
import { recoverProject } from '../recovering/recover-project.ts'
import { backupReference, backupReferenceHelp } from '../repositories/backup-reference.ts'
import { confirmName } from '../terminal/confirm-name.ts'

const recoverOptions = z.strictObject({
  project: text,
  service: text.optional(),
  backup: backupReference.optional(),
  allowUnproven: flag,
  partial: flag,
  confirm: text.optional(),
})
export type RecoverOptions = z.output<typeof recoverOptions>

async function recover(options: RecoverOptions, context: CommandContext): Promise<Outcome> {
  const { terminal } = context
  const engine = context.resources.use(await Engine.open(context))
  await using sole = await becomeSoleRun(`recover ${options.project} ${engine.place}`)
  if (!sole) {
    throw new AppError('usage-invalid', `a recovery of "${options.project}" is under way`, { hint: 'wait for its end' })
  }
  const plan = await planRecovery(engine, options, context)
  const isRestored = plan.journal.phase === 'restored'
  // One that is gone on with has set it aside already, perhaps.
  if (!plan.resumed) await checkSetAside(plan.server, plan.data)
  if (!terminal.json) terminal.printError(describePlan(plan, context))
  if (!isRestored) await confirmName(options.project, options.confirm, context)
  const recovered = await recoverProject(plan, context)
  return {
    document: {
      project: options.project,
      stopped: plan.journal.services,
      kept: recovered.kept.map(({ id }) => id),
      restored: recovered.restored.map(({ chosen: { backup }, outcome, notes }) => ({
        backup: backup.id,
        at: backup.record.snapshot.at,
        ...outcome,
        notes,
      })),
      downMs: recovered.downMs,
    },
    text: describeRecovered(plan, recovered, context),
  }
}

export const recoverCommand = defineCommand({
  name: 'recover',
  summary: 'bring the database of a compose project back after its volume was damaged',
  description:
    'The whole emergency procedure: opens the newest proven backup that holds all of the database, stops the containers of the project, keeps what is in the volume (or directory) of the server under another name, starts the server on an empty one, waits until it lets somebody in, restores with roles, compares everything with the backup, and starts what ran before. Says first what will be stopped and kept, and asks for the name of the project. What fails before the data is set aside leaves everything as it was; after that the other containers stay stopped, and the same command goes on; nothing that is in the volume is ever removed. The databases are those of pgrevive.yaml whose url leads into the container, or else the one that the container makes.',
  arguments: [],
  options: [
    { flags: '--project <NAME>', help: 'the project of docker compose or podman-compose' },
    { flags: '--service <NAME>', help: 'the service that is the server (default: the only one that looks like it)' },
    { flags: '--backup <BACKUP>', help: `${backupReferenceHelp} (default: the newest proven one)` },
    { flags: '--allow-unproven', help: 'take a backup that was never proven, if none was' },
    { flags: '--partial', help: 'take a backup of --backup that does not hold everything' },
    { flags: '--confirm <NAME>', help: 'the name of the project, for scripts: nothing is asked' },
  ],
  examples: [
    {
      command: 'pgrevive recover --project travelscout',
      meaning: 'what to do when the database does not start any more',
    },
    {
      command: 'pgrevive recover --project travelscout --backup 01JD8Y --confirm travelscout',
      meaning: 'from a certain backup, without a question',
    },
  ],
  schema: recoverOptions,
  readsOnly: true,
  keepsLog: true,
  run: recover,
})
