import { AppError } from '../../core/app-error.ts'
import { listSome } from '../../core/text/list-some.ts'
import { type Relation, listRelations } from '../../postgres/catalog/tables.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import type { RestoreJob } from '../restore-job.ts'
import { subjectOf, withoutArguments } from './others-objects.ts'
import { type DatabaseObject, listDependents, listLargeObjectOwnership, listObjects } from './database-objects.ts'

/** What is in a database that is to be replaced: what goes, and what stays. */
export interface Scene {
  /** May be dropped with CASCADE: nothing of `stays` goes with it. */
  readonly drops: readonly DatabaseObject[]
  readonly stays: readonly DatabaseObject[]
  /** OIDs. */
  readonly largeObjects: readonly string[]
  /** Tables of `drops`, to be locked. */
  readonly tables: readonly Relation[]
}

/**
 * Looks what would be dropped. Throws `target-not-empty` where objects of others, or of schemas that the backup leaves
 * out, would go with it or have the names of what is restored, and where what goes would not be in the safety backup.
 */
export async function readScene(connection: Connection, job: RestoreJob): Promise<Scene> {
  const { manifest, plan, options } = job
  const { selection } = manifest
  const objects = await listObjects(connection, selection.excludeSchemas, options)
  const kept = new Set(objects.filter(({ mine }) => !mine).flatMap(({ schema }) => schema ?? []))
  const isKept = ({ type, schema = '', mine }: DatabaseObject) => !mine || (type === 'schema' && kept.has(schema))
  const [drops, stays] = [objects.filter((object) => !isKept(object)), objects.filter(isKept)]
  const { mine: largeObjects, others } = await listLargeObjectOwnership(connection, options)
  const dependents = await listDependents(connection, drops, options)
  const wanted = new Set(plan.largeObjects.map(({ oid }) => oid))
  const problems = [
    ...stays
      .filter(({ key }) => dependents.has(key))
      .map((object) => `${describeObject(object)} depends on what is dropped`),
    ...collisions(stays, job).map((object) => `${describeObject(object)} has the name of something in the backup`),
    ...others.filter((oid) => wanted.has(oid)).map((oid) => `large object ${oid} belongs to somebody else`),
  ]
  if (problems.length > 0) {
    throw new AppError('target-not-empty', `objects that stay are in the way: ${listSome(problems)}`, {
      hint: 'nothing was changed; have their owners move or drop them, or restore a backup that was taken without their schemas (backup --exclude-schema)',
    })
  }
  const keys = new Set(drops.map(({ key }) => key))
  const relations = await listRelations(connection, { ...selection, schemas: [], tables: [] }, options)
  const [[classId = ''] = []] = await connection.query(
    "SELECT 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid",
    options,
  )
  const dropped = relations.filter(({ oid }) => keys.has(`${classId}:${oid}`))
  const unsaved = dropped.filter(({ selected, dataExcluded }) => !selected || dataExcluded)
  if (unsaved.length > 0) {
    const names = unsaved.map(({ schema, name }) => `${schema}.${name}`)
    throw new AppError('target-not-empty', `the backup leaves out what would be dropped: ${listSome(names)}`, {
      hint: 'nothing was changed; restore a backup of everything, or into a new database',
    })
  }
  return { drops, stays, largeObjects, tables: dropped.filter(({ kind }) => kind === 'r' || kind === 'p') }
}

/** `table public.orders of host` */
export function describeObject({ type, identity, owner }: DatabaseObject): string {
  return `${type} ${identity} of ${owner}`
}

/** Those that stay, and whose names are needed for what is restored. */
function collisions(stays: readonly DatabaseObject[], { plan }: RestoreJob): DatabaseObject[] {
  const named = plan.beforeData.filter(({ type }) => !/^(SCHEMA|EXTENSION|ACL|COMMENT|DEFAULT ACL)$/.test(type))
  const names = new Set(named.map(subjectOf))
  return stays.filter(({ type, identity }) => type !== 'schema' && names.has(withoutArguments(identity)))
}
