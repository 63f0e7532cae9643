import { readStatements } from '../postgres/sql/sql-tokens.ts'
import { type SchemaEntry, nameOf, splitSchemaText, tableOf } from '../postgres/pg-dump/schema-text.ts'
import type { QualifiedName } from '../repository/backups/manifest.ts'
import type { BackupTexts, RestorePlan } from '../repository/backups/restore-plan.ts'
import { keyOf } from '../repository/backups/restore-scope.ts'
import { isRelation } from './archive-objects.ts'

const mayBeOfView = ({ type }: SchemaEntry) => /^((MATERIALIZED )?VIEW|RULE)$/.test(type)

/** Which views of a part read relations of the backup that are not in it, in words: a server may have them, or not. */
export function notesOnViews(plan: RestorePlan, { schema }: BackupTexts): string[] {
  if (plan.whole || !schema) return []
  const absent = new Map(relationsOf(splitSchemaText(schema.preData)))
  for (const [key] of relationsOf(plan.beforeData)) absent.delete(key)
  const entries = [...plan.beforeData, ...plan.afterData].filter((it) => plan.helpers.has(it) && mayBeOfView(it))
  return entries.flatMap((entry) => {
    const view = tableOf(entry)
    const missing = new Set(namesIn(entry).flatMap((name) => absent.get(keyOf(name)) ?? []))
    if (!view || missing.size === 0) return []
    const reads = `view ${view.schema}.${view.name} reads what is not exported, and is left out where that is missing`
    return [`${reads}: ${[...missing].join(', ')}`]
  })
}

/** By key, in words. */
function relationsOf(entries: readonly SchemaEntry[]): [string, string][] {
  return entries.filter(isRelation).flatMap((entry) => {
    const relation = tableOf(entry)
    return relation ? [[keyOf(relation), `${relation.schema}.${relation.name}`]] : []
  })
}

/** What pg_dump's empty search_path makes it write, and columns behind the names of their tables. */
function namesIn({ sql }: SchemaEntry): QualifiedName[] {
  const tokens = readStatements(sql).flat()
  return tokens.flatMap((schema, at) => {
    const [dot, name] = [tokens[at + 1], tokens[at + 2]]
    return dot?.text === '.' && name ? [{ schema: nameOf(schema), name: nameOf(name) }] : []
  })
}
