import { z } from 'zod'
import type { Backup, BackupDetail, BackupTable } from '../../shapes/database.ts'
import type { Ask } from './ask.ts'

const kept = 40
const table = z.object({ schema: z.string(), name: z.string() })
/** Of "show --tables --json". */
const shown = z.object({
  manifest: z.object({
    tables: z.array(
      table.extend({ columns: z.array(z.string()), rows: z.number(), bytes: z.number(), hash: z.string() }),
    ),
    tablesWithoutData: z.array(table),
    sequences: z.array(z.unknown()),
    largeObjects: z.object({ count: z.number() }).optional(),
    extensions: z.array(z.object({ name: z.string(), version: z.string() })),
    pgDump: z.object({ warnings: z.array(z.string()) }),
    warnings: z.array(z.string()).default([]),
  }),
})
type Manifest = z.output<typeof shown>['manifest']

/** What backups hold, which never changes: those that were asked for last are remembered. */
export class BackupContents {
  readonly #ask: Ask
  readonly #known = new Map<string, Promise<Manifest>>()

  constructor(ask: Ask) {
    this.#ask = ask
  }

  /** Of a backup, beside what the catalog knows of it, compared with the one before. */
  async detail(backup: Backup, before: Backup | undefined): Promise<Omit<BackupDetail, keyof Backup>> {
    const [own, old] = await Promise.all([
      this.#manifest(backup.id),
      // without it there is only no comparison
      before && this.#manifest(before.id).catch(() => undefined),
    ])
    const nameOf = (one: z.output<typeof table>) => `${one.schema}\0${one.name}`
    const oldTables = new Map(old?.tables.map((one) => [nameOf(one), one]))
    const contents = own.tables.map(({ schema, name, columns, rows, bytes, hash }): BackupTable => {
      const one = oldTables.get(nameOf({ schema, name }))
      const change = one ? { rows: rows - one.rows, bytes: bytes - one.bytes, same: hash === one.hash } : null
      return { schema, name, columns, rows, bytes, change, leftOut: false }
    })
    const empty = { columns: [], rows: 0, bytes: 0, change: null, leftOut: true }
    const all = [...contents, ...own.tablesWithoutData.map(({ schema, name }) => ({ schema, name, ...empty }))]
    const there = new Set(all.map(nameOf))
    return {
      before: before?.id ?? null,
      contents: all,
      vanished: [...oldTables.values()]
        .filter((one) => !there.has(nameOf(one)))
        .map(({ schema, name, rows }) => ({ schema, name, rows })),
      sequences: own.sequences.length,
      largeObjects: own.largeObjects?.count ?? 0,
      extensions: own.extensions.map(({ name, version }) => ({ name, version })),
      warnings: [...own.pgDump.warnings.map((warning) => `pg_dump: ${warning}`), ...own.warnings],
    }
  }

  /** Each with what it holds, which is nothing where rows were left out. */
  async tables({ id }: Pick<Backup, 'id'>): Promise<Pick<BackupTable, 'schema' | 'name' | 'rows' | 'bytes'>[]> {
    const { tables, tablesWithoutData } = await this.#manifest(id)
    return [...tables, ...tablesWithoutData.map((one) => ({ ...one, rows: 0, bytes: 0 }))]
  }

  #manifest(id: string): Promise<Manifest> {
    const known = this.#known.get(id)
    if (known) return known
    const asked = this.#ask.ask('show', ['--tables', '--', id]).then((found) => shown.parse(found).manifest)
    this.#known.set(id, asked)
    asked.catch(() => this.#known.delete(id))
    for (const old of [...this.#known.keys()].slice(0, -kept)) this.#known.delete(old)
    return asked
  }
}
