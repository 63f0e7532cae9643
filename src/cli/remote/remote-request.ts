import { z } from 'zod'
import { AppError } from '../../core/app-error.ts'
import { parseNames } from '../../postgres/sql/names.ts'
import { type BackupReference, backupReference } from '../repositories/backup-reference.ts'
import { type RunRequest, runRequest } from '../../shapes/run.ts'

type Raw = Readonly<Record<string, unknown>>

/** The options that a command has at a service, too; whichever else is given is refused, and not passed over. */
const taken: Readonly<Record<string, readonly string[]>> = {
  list: ['database', 'limit'],
  backup: ['databases', 'comment'],
  prove: ['backups', 'database'],
  check: ['level'],
  sync: ['from', 'to'],
  forget: ['database'],
  prune: [],
  refresh: ['refresh'],
  restore: [
    'backup',
    'to',
    'inPlace',
    'undo',
    'finish',
    'resume',
    'abort',
    'replace',
    'confirm',
    'owner',
    'privileges',
    'createRoles',
    'safetyBackup',
    'hooks',
    'table',
    'intoSchema',
    'as',
    'where',
  ],
}

/**
 * What the service is asked for, with the whole ids of the backups that are meant, which `idOf` finds; rejects with
 * `usage-invalid` for what only the machine itself can do.
 */
export async function remoteRequest(
  name: string,
  raw: Raw,
  idOf: (reference: BackupReference) => Promise<string>,
): Promise<RunRequest | 'list'> {
  const known = taken[name]
  if (!known) {
    throw new AppError('usage-invalid', `"${name}" is not done at a service`, {
      hint: `with --server there are ${Object.keys(taken).join(', ')}; leave --server out to work on this machine`,
    })
  }
  const other = Object.entries(raw).find(([key, value]) => !known.includes(key) && isGiven(key, value))
  if (other) {
    const option = `--${other[0].replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
    throw new AppError('usage-invalid', `${option} is not known at a service`, {
      hint: 'run the command on the machine of the service, without --server',
    })
  }
  if (name === 'list') return 'list'
  const named = await backupOf(raw, idOf)
  const wish = name === 'restore' ? restoreWish(raw) : { ...pick(raw, known), command: name, ...listed(name, raw) }
  const { data, error } = runRequest.safeParse({ ...wish, ...named })
  if (data) return data
  const [issue] = error.issues
  throw new AppError('usage-invalid', `${issue?.path.map(String).join('.')}: ${issue?.message}`, {
    hint: `a service takes bare names of databases; "pgrevive ${name} --help" explains every option`,
  })
}

/** The only backup that is named, if one is; `prove` takes several, one run at a service proves one. */
async function backupOf(raw: Raw, idOf: (reference: BackupReference) => Promise<string>): Promise<{ backup?: string }> {
  const [only, other] = [raw['backup'] ?? [], raw['backups'] ?? []].flat()
  if (only === undefined) return {}
  if (other !== undefined) {
    throw new AppError('usage-invalid', 'at a service one backup is proven at a time', {
      hint: 'name one; without any, the newest of every database is proven',
    })
  }
  const { data, error } = backupReference.safeParse(only)
  if (data) return { backup: await idOf(data) }
  throw new AppError('usage-invalid', `BACKUP ${error.issues[0]?.message}`, { hint: '"pgrevive list" shows all ids' })
}

/** On until their "--no-" form is given. */
const onUntilRefused = new Set(['hooks', 'analyze', 'tablespaces', 'compare', 'owner', 'privileges', 'safetyBackup'])

function isGiven(key: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value !== onUntilRefused.has(key)
  return value !== undefined && !(Array.isArray(value) && value.length === 0)
}

function listed(name: string, raw: Raw): object {
  if (name === 'prove') return { databases: raw['database'] === undefined ? [] : [raw['database']] }
  if (name === 'forget') return { databases: raw['database'] ?? [] }
  return {}
}

function restoreWish(raw: Raw): object {
  const ways = {
    inPlace: 'in-place',
    undo: 'undo',
    finish: 'finish',
    resume: 'resume',
    abort: 'abort',
    replace: 'replace',
  }
  const way = Object.entries(ways).find(([key]) => raw[key] === true)?.[1]
  const isRows = raw['intoSchema'] !== undefined || raw['as'] !== undefined
  const tables = z.array(z.string()).catch([]).parse(raw['table']).map(tableOf)
  return {
    ...pick(raw, [
      'to',
      'confirm',
      'owner',
      'privileges',
      'createRoles',
      'safetyBackup',
      'hooks',
      'intoSchema',
      'where',
    ]),
    command: 'restore',
    way: way ?? (isRows ? 'rows' : 'new'),
    tables,
    ...(typeof raw['as'] === 'string' ? { as: tableOf(raw['as']) } : {}),
  }
}

function tableOf(text: string): { schema: string; name: string } {
  const [first, second] = parseNames(text, '.') ?? []
  if (first === undefined || second === undefined) {
    throw new AppError('usage-invalid', 'at a service a table is named SCHEMA.NAME', { hint: 'public.orders' })
  }
  return { schema: first, name: second }
}

function pick(raw: Raw, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(raw).filter(([key, value]) => keys.includes(key) && value !== undefined))
}
