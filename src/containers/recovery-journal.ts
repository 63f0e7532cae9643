import { z } from 'zod'
import { AppError } from '../core/app-error.ts'
import type { Engine } from './engine.ts'
import { statusOf } from './engine-error.ts'

const label = 'pgrevive.recovery'

const journalSchema = z.strictObject({
  /** Of the recovery that began it. */
  run: z.string(),
  startedAt: z.iso.datetime(),
  /** The names of the containers that ran, and are to run again. */
  services: z.array(z.string()),
  /** `restored`: the database is whole and may have new rows; only the containers are to be started. */
  phase: z.enum(['begun', 'restored']),
})
/** What a recovery that was stopped needs to go on. */
export type RecoveryJournal = z.output<typeof journalSchema>

type Phase = RecoveryJournal['phase']
/** The later one first: labels do not change, so each phase has a volume of its own. */
const phases: readonly Phase[] = ['restored', 'begun']

/** It is the label of an empty volume, so that it is where the containers are, and outlives pgrevive. */
function journalName(container: string, phase: Phase): string {
  return `${container}_pgrevive_${phase === 'begun' ? 'recovery' : phase}`
}

/** What removes it by hand: a recovery then begins anew. */
export function journalRemoval(container: string): string {
  return `docker volume rm -f ${journalName(container, 'begun')} ${journalName(container, 'restored')}`
}

/** Undefined: no recovery of this container was left unfinished. */
export async function readJournal(engine: Engine, container: string): Promise<RecoveryJournal | undefined> {
  for (const phase of phases) {
    const name = journalName(container, phase)
    const found = await engine.ask(`a look at the volume ${name}`, async (docker) =>
      docker.getVolume(name).inspect().catch(unlessMissing),
    )
    if (!found) continue
    try {
      return journalSchema.parse(JSON.parse(found.Labels?.[label] ?? ''))
    } catch (cause) {
      throw new AppError('engine-failed', `the volume ${name} does not tell what a recovery was doing`, {
        cause,
        hint: `if no recovery is under way: ${journalRemoval(container)}`,
      })
    }
  }
  return undefined
}

export async function writeJournal(engine: Engine, container: string, journal: RecoveryJournal): Promise<void> {
  await engine.ask(`a volume for the recovery's journal`, (docker) =>
    docker.createVolume({
      Name: journalName(container, journal.phase),
      Labels: { [label]: JSON.stringify(journal) },
    }),
  )
}

/** The later phase goes last: what is killed in between is still known to be restored. */
export async function removeJournal(engine: Engine, container: string): Promise<void> {
  for (const phase of phases.toReversed()) {
    const name = journalName(container, phase)
    await engine.ask(`removing the volume ${name}`, (docker) => docker.getVolume(name).remove().catch(unlessMissing))
  }
}

function unlessMissing(error: unknown): undefined {
  if (statusOf(error) !== 404) throw error
}
