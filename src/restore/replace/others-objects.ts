import { type SchemaEntry, tableOf } from '../../postgres/pg-dump/schema-text.ts'
import { quoteIdentifier } from '../../postgres/sql/quote.ts'
import type { Connection } from '../../postgres/wire/connection.ts'
import { keyOf } from '../../repository/backups/restore-scope.ts'
import type { RestoreJob } from '../restore-job.ts'
import { rolesOutOfReach } from '../target-checks.ts'
import { listObjects } from './database-objects.ts'

/** A restore into a database in which objects of others stay. */
export interface AmongOthers {
  /** Its plan is without what the backup holds of those that stay. */
  readonly job: RestoreJob
  /** What a comparison calls that which was left out. */
  readonly leftOut: ReadonlySet<string>
}

/**
 * Takes out of a plan what belongs to others, by the backup and in the database, and stays; and the making of schemas that
 * are there. Who can not drop an object need not bring it back.
 */
export async function amongOthers(connection: Connection, job: RestoreJob): Promise<AmongOthers> {
  const { manifest, plan, options } = job
  const stays = (await listObjects(connection, manifest.selection.excludeSchemas, options)).filter(({ mine }) => !mine)
  const there = new Set(stays.map(({ identity }) => withoutArguments(identity)))
  const schemas = new Set(stays.flatMap(({ schema }) => schema ?? []))
  const all = [...plan.beforeData, ...plan.afterData, ...plan.privileges, ...plan.viewData, ...plan.eventTriggers]
  const owners = new Set(all.flatMap(({ owner }) => owner ?? []))
  const foreign = new Set(await rolesOutOfReach(connection, owners, options))
  const isOthers = (entry: SchemaEntry) =>
    (entry.type === 'SCHEMA' && entry.name !== 'public' && schemas.has(entry.name)) ||
    (entry.owner !== undefined && foreign.has(entry.owner) && there.has(subjectOf(entry)))
  const hidden = all.filter(isOthers)
  const tables = new Set(hidden.flatMap((entry) => (entry.type === 'TABLE' ? keyOf(tableOf(entry) ?? noName) : [])))
  const sequences = new Set(
    hidden.flatMap(({ type, schema = '', name }) => (type === 'SEQUENCE' ? keyOf({ schema, name }) : [])),
  )
  const without = (entries: readonly SchemaEntry[]) => entries.filter((entry) => !isOthers(entry))
  return {
    leftOut: new Set(
      hidden.flatMap(({ type, schema, name }) => {
        const qualified = `${schema === undefined ? '' : `${schema}.`}${name}`
        return [
          `${type} ${qualified}`,
          ...(/^(TABLE|SEQUENCE)$/.test(type) ? [`${type.toLowerCase()} ${qualified}`] : []),
        ]
      }),
    ),
    job: {
      ...job,
      plan: {
        ...plan,
        beforeData: without(plan.beforeData),
        afterData: without(plan.afterData),
        privileges: without(plan.privileges),
        viewData: without(plan.viewData),
        eventTriggers: without(plan.eventTriggers),
        tables: plan.tables.filter((table) => !tables.has(keyOf(table))),
        sequences: plan.sequences.filter((sequence) => !sequences.has(keyOf(sequence))),
      },
    },
  }
}

const noName = { schema: '', name: '' }

/** What an entry makes, or belongs to, as pg_identify_object names it, without arguments. */
export function subjectOf(entry: SchemaEntry): string {
  const table = tableOf(entry)
  if (table) return `${quotedIdentity(table.schema)}.${quotedIdentity(table.name)}`
  const ofAnother = /^(?:ACL|COMMENT|SECURITY LABEL)$/.test(entry.type)
  const name = ofAnother ? entry.name.replace(/^[A-Z ]+ /, '') : entry.name
  const [bare = ''] = name.split('(')
  return entry.schema === undefined ? quotedIdentity(bare) : `${quotedIdentity(entry.schema)}.${quotedIdentity(bare)}`
}

export function withoutArguments(identity: string): string {
  return identity.split('(')[0] ?? ''
}

/** As pg_identify_object quotes it, but for words that PostgreSQL reserves. */
export function quotedIdentity(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : quoteIdentifier(name, { encoding: 'latin1' })
}
