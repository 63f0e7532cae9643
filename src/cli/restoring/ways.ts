import type { z } from 'zod'

interface Way {
  readonly name: 'new' | 'replace' | 'rows' | 'diff' | 'in-place' | 'undo' | 'finish' | 'resume' | 'abort'
  /** Is about what an earlier restore has left, and takes no BACKUP. */
  readonly withoutBackup?: true
  /** Keys of the options that choose it; the way without is the usual one. */
  readonly by: readonly string[]
  /** Keys of the options that must be given. */
  readonly needs: readonly string[]
  /** Keys of further options that mean something. */
  readonly takes: readonly string[]
}

/** What every way takes that brings a whole database back. */
const ofWholeDatabases = [
  'owner',
  'privileges',
  'tablespaces',
  'roleMap',
  'createRoles',
  'plan',
  'jobs',
  'analyze',
  'hooks',
]

const usual: Way = {
  name: 'new',
  by: [],
  needs: ['to'],
  takes: [...ofWholeDatabases, 'table', 'schema', 'schemaOnly', 'dataOnly', 'skipDamaged'],
}

const ways: readonly Way[] = [
  { name: 'diff', by: ['diff', 'apply'], needs: ['table'], takes: ['to', 'key', 'limit'] },
  {
    name: 'replace',
    by: ['replace'],
    needs: [],
    takes: [...ofWholeDatabases, 'to', 'confirm', 'skipDamaged'],
  },
  { name: 'rows', by: ['intoSchema', 'as'], needs: ['table'], takes: ['to', 'where', 'analyze'] },
  {
    name: 'in-place',
    by: ['inPlace'],
    needs: [],
    takes: [...ofWholeDatabases, 'to', 'partial', 'confirm', 'grace', 'safetyBackup'],
  },
  { name: 'undo', by: ['undo'], needs: [], takes: ['to', 'grace', 'compare', 'jobs', 'hooks'], withoutBackup: true },
  { name: 'finish', by: ['finish'], needs: [], takes: ['to', 'safetyBackup', 'jobs'], withoutBackup: true },
  {
    name: 'resume',
    by: ['resume'],
    needs: [],
    takes: ['to', 'partial', 'confirm', 'grace', 'safetyBackup', 'jobs', 'analyze', 'hooks'],
    withoutBackup: true,
  },
  { name: 'abort', by: ['abort'], needs: [], takes: ['to'], withoutBackup: true },
]

type Given = Readonly<Record<string, unknown>>

/** The way that the options choose. */
export function wayOf(options: Given): Way {
  return ways.find(({ by }) => by.some((key) => isGiven(options, key))) ?? usual
}

/** Refuses what the chosen way lacks, and what would mean nothing to it. */
export function checkWay(options: Given, context: z.RefinementCtx): void {
  const way = wayOf(options)
  const name = way.by.map(flagOf).join(' or ')
  if (way.withoutBackup && options['backup'] !== undefined) {
    const message = `goes without: it is about what an earlier restore has left`
    context.addIssue({ code: 'custom', path: ['backup'], message })
  }
  if (!way.withoutBackup && options['backup'] === undefined) {
    context.addIssue({ code: 'custom', path: ['backup'], message: 'must be given' })
  }
  for (const key of Object.keys(options)) {
    if (key === 'backup' || !isGiven(options, key) || [...way.by, ...way.needs, ...way.takes].includes(key)) continue
    const message = name === '' ? `goes with ${whoTakes(key)} only` : `does not go with ${name}`
    context.addIssue({ code: 'custom', path: [key], message })
  }
  for (const key of way.needs.filter((it) => !isGiven(options, it))) {
    context.addIssue({ code: 'custom', path: [key], message: 'must be given' })
  }
}

function whoTakes(key: string): string {
  return ways.flatMap(({ by, takes }) => (takes.includes(key) ? by.map(flagOf) : [])).join(' or ')
}

/** `intoSchema` → `--into-schema` */
function flagOf(key: string): string {
  return `--${key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** Switches that are on until their `--no-` form is given are given when they are off. */
const onUntilRefused = new Set(['owner', 'privileges', 'tablespaces', 'analyze', 'hooks', 'safetyBackup', 'compare'])

function isGiven(options: Given, key: string): boolean {
  const value = options[key]
  if (Array.isArray(value)) return value.length > 0
  if (typeof value === 'boolean') return value !== onUntilRefused.has(key)
  return value !== undefined
}
