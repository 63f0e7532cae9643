import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { printable } from '../../core/text/printable.ts'
import type { Backup, RestorePlan } from '../../shapes/database.ts'
import type { Ask } from './ask.ts'
import type { BackupContents } from './backup-contents.ts'
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
})

/** What the command says of ways that have no plan of their own. */
const stepsOf: Readonly<Record<Exclude<RestoreWish['way'], 'new' | 'in-place' | 'replace' | 'rows'>, string[]>> = {
  undo: ['swap the names back: the old database is the live one again', 'keep the restored one, until "finish"'],
  finish: ['back up what was set aside, as it is then', 'drop it'],
  resume: ['look what is there of the restore that did not end', 'go on with it, or with the swap'],
  abort: ['drop what the restore that did not end has made; the live database is as it was'],
}

interface PlanSources {
  readonly ask: Ask
  readonly contents: BackupContents
  readonly names: Names
  readonly question: Parameters<Ask['ask']>[2]
}

export async function planOf(
  wish: RestoreWish,
  backup: Backup | undefined,
  { ask, contents, names, question }: PlanSources,
): Promise<RestorePlan> {
  const { way, to, tables } = wish
  if (way === 'undo' || way === 'finish' || way === 'resume' || way === 'abort') {
    restoreWords(wish, names, { plan: true })
    return { way, target: to, steps: [...stepsOf[way]], findings: [], proof: null, tables: 0, rows: 0, bytes: 0 }
  }
  if (!backup) throw new AppError('usage-invalid', 'no backup is named')
  const known = proofOf(backup)
  if (way === 'rows') {
    restoreWords(wish, names, { plan: true })
    const shown = tables.map(({ schema, name }) => `${schema}.${name}`).join(', ')
    const into = wish.as ? `${wish.as.schema}.${wish.as.name}` : `new tables in the schema ${wish.intoSchema ?? ''}`
    const filter = wish.where === undefined ? '' : `, of which only those that ${wish.where}`
    const steps = [`load the rows of ${shown}${filter} into ${into}, beside the live ones`, 'commit all of it at once']
    return { way, target: to, steps, ...known, ...(await extentOf(backup, tables, contents)) }
  }
  const words = restoreWords(wish, names, { plan: true })
  const data = planned.parse(await ask.ask('restore', words, { ...question, failureToo: planned }))
  const findings = [
    ...known.findings,
    ...data.findings
      .filter(({ verdict }) => verdict !== 'good')
      .map(({ check, verdict, meaning, remedy }) => ({
        problem: `${check}: ${meaning}`,
        remedy: remedy ?? null,
        stops: verdict === 'bad',
      })),
    ...data.notes.map((problem) => ({ problem, remedy: null, stops: false })),
  ]
  const extent = await extentOf(backup, way === 'new' ? tables : [], contents)
  return { way: data.way, target: data.target, steps: data.steps, findings, proof: known.proof, ...extent }
}

/** How it is known that the backup can be restored; that its last proof refuted it is to be found, and stops nobody. */
function proofOf({ proof }: Backup): Pick<RestorePlan, 'proof' | 'findings'> {
  if (proof === null) return { proof: null, findings: [] }
  const { outcome, at, tookMs } = proof
  if (outcome === 'proven') return { proof: { at, tookMs }, findings: [] }
  const problem = 'proof: its last proof restored it, and found that it differs from what was backed up'
  return { proof: null, findings: [{ problem, remedy: 'choose a backup that is proven', stops: false }] }
}

/** Of the tables that are chosen, or else of all. */
async function extentOf(
  backup: Backup,
  chosen: RestoreWish['tables'],
  contents: BackupContents,
): Promise<Pick<RestorePlan, 'tables' | 'rows' | 'bytes'>> {
  if (chosen.length === 0) return { tables: backup.tables, rows: backup.rows, bytes: backup.bytes }
  const held = await contents.tables(backup)
  const found = chosen.map(({ schema, name }) => {
    const table = held.find((one) => one.schema === schema && one.name === name)
    if (table) return table
    throw new AppError('selection-empty', `the backup holds no table ${printable(`${schema}.${name}`)}`, {
      hint: 'its page lists all that it holds',
    })
  })
  const sum = (key: 'rows' | 'bytes') => found.reduce((total, table) => total + table[key], 0)
  return { tables: found.length, rows: sum('rows'), bytes: sum('bytes') }
}
