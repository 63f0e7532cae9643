import { AppError } from '../../core/app-error.ts'
import { type ChangedType, readChangedTypes } from './changed-types.ts'
import type { ChosenTable } from './chosen-tables.ts'
import { type LiveColumn, type LiveTable, readLiveTable } from './live-table.ts'
import type { RowsOptions, RowsSession } from './rows-session.ts'

/** A table of a backup, and the live one, with what tells their rows apart. */
export interface ComparableTable {
  readonly table: ChosenTable
  readonly live: LiveTable
  /** That both sides have. */
  readonly common: readonly LiveColumn[]
  readonly changedTypes: readonly ChangedType[]
  readonly key: readonly LiveColumn[]
  /** Else nothing keeps two live rows from having the same. */
  readonly isPrimaryKey: boolean
}

/** Before any row is read. `keyNames`: in place of the primary keys. Throws `usage-invalid` where no key can be used. */
export async function matchTables(
  session: RowsSession,
  keyNames: readonly string[],
  options: RowsOptions,
): Promise<ComparableTable[]> {
  const twice = keyNames.find((name, index) => keyNames.indexOf(name) !== index)
  if (twice !== undefined) {
    throw new AppError('usage-invalid', `--key names the column ${twice} twice`, { hint: 'name each column once' })
  }
  const found: Omit<ComparableTable, 'key'>[] = []
  for (const table of session.tables) {
    const live = await readLiveTable(session.connection, table, options)
    const common = live.columns.filter(({ name }) => table.columns.includes(name))
    const changedTypes = await readChangedTypes(session, table, common, options)
    found.push({ table, live, common, changedTypes, isPrimaryKey: keyNames.length === 0 })
  }
  const keyNamesOf = ({ live }: { live: LiveTable }) => (keyNames.length > 0 ? keyNames : primaryKey(live))
  const without = found.filter((one) => keyNamesOf(one).length === 0)
  if (without.length > 0) {
    const names = without.map(({ table: { schema, name } }) => `${schema}.${name}`)
    const verb = names.length === 1 ? 'has' : 'have'
    throw new AppError('usage-invalid', `${names.join(', ')} ${verb} no primary key to tell rows apart by`, {
      hint:
        found.length === 1
          ? 'name the columns that tell them apart: --key a,b'
          : 'choose the other tables with --table, and this way each of these alone, with the columns that tell its rows apart: --key a,b',
    })
  }
  return found.map((one) => ({ ...one, key: keyNamesOf(one).map((name) => keyColumn(one, name)) }))
}

function primaryKey({ columns }: LiveTable): string[] {
  return columns
    .filter(({ keyPosition }) => keyPosition !== null)
    .toSorted((a, b) => (a.keyPosition ?? 0) - (b.keyPosition ?? 0))
    .map(({ name }) => name)
}

function keyColumn({ table, live, common }: Omit<ComparableTable, 'key'>, name: string): LiveColumn {
  const found = common.find((column) => column.name === name)
  if (found) return found
  const where = live.columns.some((column) => column.name === name) ? 'the backup' : 'the live table'
  throw new AppError('usage-invalid', `the key column ${name} of ${table.schema}.${table.name} is not in ${where}`, {
    hint: 'name columns that both have, and that tell the rows apart: --key a,b',
  })
}
