import type { AppError } from '../core/app-error.ts'
import type { ManifestTable } from '../repository/backups/manifest.ts'

/** Something that a restored database lacks. */
export interface Loss {
  /** `table public.orders` */
  readonly object: string
  /** What of it is not there. */
  readonly problem: string
  /** What is damaged in the repository; undefined where that shows elsewhere, as with a foreign key to lost rows. */
  readonly damage: string | undefined
}

interface TableLoss {
  /** That came nevertheless. */
  rows: number
  bytes: number
  damage: AppError | undefined
}

/** What is missing of a table. */
interface TableGap {
  readonly table: ManifestTable
  readonly lostRows: number
  readonly lostBytes: number
  readonly damage: AppError
}

/** What a restore could not bring back, because it is damaged in the repository. */
export class Losses {
  /** The id of the backup. */
  readonly backup: string
  readonly #tables = new Map<ManifestTable, TableLoss>()
  readonly #others: Loss[] = []

  constructor(backup: string) {
    this.backup = backup
  }

  get isEmpty(): boolean {
    return this.tables().length === 0 && this.#others.length === 0
  }

  get lostRows(): number {
    return this.tables().reduce((sum, { lostRows }) => sum + lostRows, 0)
  }

  /** Of COPY text. */
  get lostBytes(): number {
    return this.tables().reduce((sum, { lostBytes }) => sum + lostBytes, 0)
  }

  add(object: string, problem: string, damage?: AppError): void {
    this.#others.push({ object, problem, damage: damage?.message })
  }

  /** Rows of a table are missing; the first reason is kept. */
  addGap(table: ManifestTable, damage: AppError): void {
    this.#of(table).damage ??= damage
  }

  addRows(table: ManifestTable, rows: number, bytes: number): void {
    const known = this.#of(table)
    known.rows += rows
    known.bytes += bytes
  }

  /** The tables that lack rows, and how much. */
  tables(): TableGap[] {
    return [...this.#tables].flatMap(([table, { rows, bytes, damage }]) =>
      damage ? [{ table, lostRows: table.rows - rows, lostBytes: table.bytes - bytes, damage }] : [],
    )
  }

  list(): Loss[] {
    const tables = this.tables().map(({ table, lostRows, damage }) => ({
      object: `table ${table.schema}.${table.name}`,
      problem: `lacks ${lostRows} of ${table.rows} rows`,
      damage: damage.message,
    }))
    return [...tables.toSorted((a, b) => (a.object < b.object ? -1 : 1)), ...this.#others]
  }

  #of(table: ManifestTable): TableLoss {
    const known = this.#tables.get(table) ?? { rows: 0, bytes: 0, damage: undefined }
    this.#tables.set(table, known)
    return known
  }
}
