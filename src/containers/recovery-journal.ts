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
})
/** What a recovery that was stopped needs to go on. */
export type RecoveryJournal = z.output<typeof journalSchema>

/** It is the label of an empty volume, so that it is where the containers are, and outlives pgrevive. */
export function journalName(container: string): string {
  return `${container}_pgrevive_recovery`
}

/** Undefined: no recovery of this container was left unfinished. */
export async function readJournal(engine: Engine, container: string): Promise<RecoveryJournal | undefined> {
  const name = journalName(container)
  const found = await engine.ask(`a look at the volume ${name}`, async (docker) => {
    try {
      return await docker.getVolume(name).inspect()
    } catch (error) {
      if (statusOf(error) === 404) return undefined
      throw error
    }
  })
  if (!found) return undefined
  try {
    return journalSchema.parse(JSON.parse(found.Labels?.[label] ?? ''))
  } catch (cause) {
    throw new AppError('engine-failed', `the volume ${name} does not tell what a recovery was doing`, {
      cause,
      hint: `if no recovery is under way: docker volume rm ${name}`,
    })
  }
}

export async function writeJournal(engine: Engine, container: string, journal: RecoveryJournal): Promise<void> {
  await engine.ask(`a volume for the recovery's journal`, (docker) =>
    docker.createVolume({ Name: journalName(container), Labels: { [label]: JSON.stringify(journal) } }),
  )
}

export async function removeJournal(engine: Engine, container: string): Promise<void> {
  const name = journalName(container)
  await engine.ask(`removing the volume ${name}`, (docker) => docker.getVolume(name).remove())
}
