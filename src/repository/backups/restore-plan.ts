import { AppError } from '../../core/app-error.ts'
import type { LargeObject } from '../../postgres/catalog/large-objects.ts'
import { exactPattern } from '../../postgres/sql/name-pattern.ts'
import {
  type SchemaEntry,
  mapRoles,
  rolesOf,
  splitSchemaText,
  takesSchemaFromPublic,
  withRevokeApart,
  withoutOwner,
} from '../../postgres/pg-dump/schema-text.ts'
import type { Manifest, ManifestTable, Sequence } from './manifest.ts'
import { type RestoreScope, chooseScope, parentsOf, withoutUnfinishedMark } from './restore-scope.ts'

/** What of a backup is restored, and with whose names. */
export interface RestoreChoices {
  /** pg_dump's patterns; with neither, everything. */
  readonly tables: readonly string[]
  readonly schemas: readonly string[]
  readonly content: 'all' | 'schema-only' | 'data-only'
  readonly noOwner: boolean
  readonly noPrivileges: boolean
  readonly noTablespaces: boolean
  readonly roleMap: ReadonlyMap<string, string>
}

export const restoreEverything: RestoreChoices = {
  tables: [],
  schemas: [],
  content: 'all',
  noOwner: false,
  noPrivileges: false,
  noTablespaces: false,
  roleMap: new Map(),
}

/** What is done, in this order. */
export interface RestorePlan {
  /** The whole backup, so that the properties of the database belong to it. */
  readonly whole: boolean
  /** Schemas that hold chosen tables and that nothing in the backup creates. */
  readonly missingSchemas: readonly string[]
  readonly beforeData: readonly SchemaEntry[]
  readonly tables: readonly ManifestTable[]
  readonly sequences: readonly Sequence[]
  readonly largeObjects: readonly LargeObject[]
  readonly afterData: readonly SchemaEntry[]
  readonly privileges: readonly SchemaEntry[]
  /** The contents of materialized views, which may need the privileges: as pg_restore orders it. */
  readonly viewData: readonly SchemaEntry[]
  /** Last of all, since they fire. */
  readonly eventTriggers: readonly SchemaEntry[]
  /** Objects whose failure is noted rather than thrown. */
  readonly helpers: ReadonlySet<SchemaEntry>
  readonly choices: RestoreChoices
  /** What was asked for and can not be done, in words. */
  readonly notes: readonly string[]
}

/** What `planRestore` needs besides the manifest; the schema's texts are absent in a backup of data only. */
export interface BackupTexts {
  readonly schema: { readonly preData: string; readonly postData: string } | undefined
  readonly largeObjects: readonly LargeObject[]
}

const isPrivilege = ({ type }: SchemaEntry) => type === 'ACL' || type === 'DEFAULT ACL'
const isViewData = ({ type }: SchemaEntry) => type === 'MATERIALIZED VIEW DATA'
const isEventTrigger = ({ type, name }: SchemaEntry) =>
  type === 'EVENT TRIGGER' || (/^(COMMENT|SECURITY LABEL)$/.test(type) && name.startsWith('EVENT TRIGGER '))

export function planRestore(manifest: Manifest, texts: BackupTexts, choices: RestoreChoices): RestorePlan {
  if (!texts.schema && choices.content !== 'data-only') {
    throw new AppError('usage-invalid', 'this backup holds data only', {
      hint: 'restore it with --data-only into a database that has the tables',
    })
  }
  const withSchema = choices.content !== 'data-only'
  const withData = choices.content !== 'schema-only'
  const preData = texts.schema
    ? withoutUnfinishedMark(splitSchemaText(texts.schema.preData)).flatMap(withRevokeApart)
    : []
  const postData = texts.schema ? splitSchemaText(texts.schema.postData) : []
  const scope = chooseScope(manifest, [...preData, ...postData], choices)
  if (withSchema) refuseOrphans(preData, scope)

  const helpers = new Set<SchemaEntry>()
  const adapt = (entries: readonly SchemaEntry[]) =>
    entries.flatMap((entry) => {
      if (!withSchema || !scope.includes(entry) || (choices.noPrivileges && isPrivilege(entry))) return []
      const adapted = adaptEntry(entry, choices)
      if (scope.isHelper(entry)) helpers.add(adapted)
      return [adapted]
    })
  const [pre, post] = [adapt(preData), adapt(postData)]
  const tables = manifest.tables.filter((table) => scope.includesTable(table))
  return {
    whole: scope.whole,
    missingSchemas: withSchema ? missingSchemas(manifest, preData, tables) : [],
    beforeData: pre.filter((entry) => !isPrivilege(entry)),
    tables: withData ? tables.map((table) => leafIfAlone(table, scope.whole || !withSchema, tables, pre)) : [],
    sequences: withData ? manifest.sequences.filter((sequence) => scope.includesSequence(sequence)) : [],
    largeObjects: withData && scope.whole ? texts.largeObjects.map((object) => mapLargeObject(object, choices)) : [],
    afterData: post.filter((entry) => !isPrivilege(entry) && !isViewData(entry) && !isEventTrigger(entry)),
    privileges: inOrderOfGrants([...pre, ...post].filter(isPrivilege)),
    viewData: post.filter(isViewData),
    eventTriggers: post.filter(isEventTrigger),
    helpers,
    choices,
    notes: scope.notes,
  }
}

/** A child can not be made without its parents. */
function refuseOrphans(entries: readonly SchemaEntry[], scope: RestoreScope): void {
  for (const entry of entries.filter((it) => scope.includes(it))) {
    const missing = parentsOf(entry).filter((parent) => !scope.whole && !scope.includesTable(parent))
    if (missing.length === 0) continue
    const names = missing.map(exactPattern)
    throw new AppError('usage-invalid', `${entry.schema}.${entry.name} inherits from ${names.join(', ')}, not chosen`, {
      hint: `add ${names.map((pattern) => `--table '${pattern}'`).join(' ')}`,
    })
  }
}

/** Who granted something in a schema may have had the schema as one of PUBLIC, which loses it last. */
function inOrderOfGrants(privileges: readonly SchemaEntry[]): SchemaEntry[] {
  const last = privileges.filter(takesSchemaFromPublic)
  return [...privileges.filter((entry) => !last.includes(entry)), ...last]
}

/** Every role that must exist for the plan to succeed. */
export function rolesOfPlan(plan: RestorePlan): Set<string> {
  const { beforeData, afterData, privileges, viewData, eventTriggers, choices } = plan
  const entries = [...beforeData, ...afterData, ...privileges, ...viewData, ...eventTriggers]
  const roles = new Set(entries.flatMap((entry) => [...rolesOf(entry)]))
  for (const { owner, grants } of plan.largeObjects) {
    if (!choices.noOwner) roles.add(owner)
    for (const { grantee } of choices.noPrivileges ? [] : (grants ?? [])) if (grantee !== null) roles.add(grantee)
  }
  return roles
}

/** Every role that objects of the plan are given to. */
export function ownersOfPlan(plan: RestorePlan): Set<string> {
  const { beforeData, afterData, privileges, eventTriggers, largeObjects } = plan
  const entries = [...beforeData, ...afterData, ...privileges, ...eventTriggers]
  return new Set([...entries.flatMap(({ owner }) => owner ?? []), ...largeObjects.map(({ owner }) => owner)])
}

function adaptEntry(entry: SchemaEntry, choices: RestoreChoices): SchemaEntry {
  let adapted = choices.noOwner ? withoutOwner(entry) : entry
  if (choices.roleMap.size > 0) adapted = mapRoles(adapted, choices.roleMap)
  if (choices.noTablespaces) {
    const { tablespace: _, ...defaults } = adapted.defaults
    adapted = { ...adapted, defaults }
  }
  return adapted
}

function mapLargeObject(object: LargeObject, { roleMap }: RestoreChoices): LargeObject {
  const map = (role: string) => roleMap.get(role) ?? role
  const grants = object.grants?.map((grant) => ({
    ...grant,
    grantee: grant.grantee === null ? null : map(grant.grantee),
  }))
  return { ...object, owner: map(object.owner), grants: grants ?? null }
}

/**
 * A backup of some tables has no definition of their schemas: pg_dump -t prints none. One without some schemas has the
 * extensions in them.
 */
function missingSchemas(
  manifest: Manifest,
  preData: readonly SchemaEntry[],
  tables: readonly ManifestTable[],
): string[] {
  if (manifest.selection.tables.length === 0 && manifest.selection.excludeSchemas.length === 0) return []
  const created = new Set(preData.filter(({ type }) => type === 'SCHEMA').map(({ name }) => name))
  const needed = new Set([...tables.map(({ schema }) => schema), ...preData.flatMap(({ schema }) => schema ?? [])])
  const hasExtensions = preData.some(({ type }) => type === 'EXTENSION')
  for (const { schema } of hasExtensions ? manifest.extensions : []) needed.add(schema)
  return [...needed].filter((schema) => !/^(public$|pg_)/.test(schema) && !created.has(schema))
}

/** Rows that go through a partitioned table go straight into their own one where the partitioned table is not restored. */
function leafIfAlone(
  table: ManifestTable,
  rootIsThere: boolean,
  tables: readonly ManifestTable[],
  preData: readonly SchemaEntry[],
): ManifestTable {
  const { loadVia, ...leaf } = table
  if (rootIsThere || !loadVia) return table
  const rootIsRestored =
    tables.some(({ schema, name }) => schema === loadVia.schema && name === loadVia.name) ||
    preData.some(({ type, schema, name }) => type === 'TABLE' && schema === loadVia.schema && name === loadVia.name)
  return rootIsRestored ? table : leaf
}
