import { z } from 'zod'
import type { Backup, RestorePlan } from '../../shapes/database.ts'
import type { Ask } from './ask.ts'
import { type Names, type RestoreWish, restoreWords } from './run-request.ts'

/** Of "restore --plan --json". */
const planned = z.object({
  way: z.string(),
  target: z.string(),
  steps: z.array(z.string()),
  findings: z.array(
    z.object({
      check: z.string(),
      verdict: z.enum(['good', 'note', 'bad']),
      meaning: z.string(),
      remedy: z.string().optional(),
    }),
  ),
  notes: z.array(z.string()),
  lastProof: z.object({ at: z.string(), tookMs: z.number() }).nullable(),
})

/** What the command says of ways that have no plan of their own. */
const stepsOf: Readonly<Record<Exclude<RestoreWish['way'], 'new' | 'in-place' | 'replace' | 'rows'>, string[]>> = {
  undo: ['swap the names back: the old database is the live one again', 'keep the restored one, until "finish"'],
  finish: ['back up what was set aside, as it is then', 'drop it'],
  resume: ['look what is there of the restore that did not end', 'go on with it, or with the swap'],
  abort: ['drop what the restore that did not end has made; the live database is as it was'],
}

export async function planOf(
  wish: RestoreWish,
  backup: Backup | undefined,
  { ask, names, question }: { ask: Ask; names: Names; question: Parameters<Ask['ask']>[2] },
): Promise<RestorePlan> {
  const { way, to, tables } = wish
  const whole = { tables: backup?.tables ?? 0, rows: backup?.rows ?? 0, bytes: backup?.bytes ?? 0 }
  if (way === 'undo' || way === 'finish' || way === 'resume' || way === 'abort') {
    restoreWords(wish, names, { plan: true })
    return { way, target: to, steps: [...stepsOf[way]], findings: [], proof: null, ...whole }
  }
  if (way === 'rows') {
    restoreWords(wish, names, { plan: true })
    const shown = tables.map(({ schema, name }) => `${schema}.${name}`).join(', ')
    const into = wish.as ? `${wish.as.schema}.${wish.as.name}` : `new tables in the schema ${wish.intoSchema ?? ''}`
    const filter = wish.where === undefined ? '' : `, of which only those that ${wish.where}`
    const steps = [`load the rows of ${shown}${filter} into ${into}, beside the live ones`, 'commit all of it at once']
    return { way, target: to, steps, findings: [], proof: null, ...whole, tables: tables.length }
  }
  const words = restoreWords(wish, names, { plan: true })
  const data = planned.parse(await ask.ask('restore', words, { ...question, failureToo: planned }))
  const findings = [
    ...data.findings
      .filter(({ verdict }) => verdict !== 'good')
      .map(({ check, verdict, meaning, remedy }) => ({
        problem: `${check}: ${meaning}`,
        remedy: remedy ?? null,
        stops: verdict === 'bad',
      })),
    ...data.notes.map((problem) => ({ problem, remedy: null, stops: false })),
  ]
  return { way: data.way, target: data.target, steps: data.steps, findings, proof: data.lastProof, ...whole }
}
