import { type TextEncoding, quoteIdentifier, quoteLiteral, quoteQualified, quoteRegclass } from '../sql/quote.ts'

/** A configuration table that was added to an extension by hand; types and defaults are SQL. */
export interface AdoptedTable {
  readonly schema: string
  readonly name: string
  readonly extension: {
    readonly name: string
    readonly condition: string
    readonly columns: readonly {
      readonly name: string
      readonly type: string
      readonly notNull: boolean
      readonly default: string | null
    }[]
  }
}

/** Statements that make the table, without indexes, and add it to its extension again. They need a superuser. */
export function adoptTableStatements({ schema, name, extension }: AdoptedTable, connection: TextEncoding): string[] {
  const table = quoteQualified(schema, name, connection)
  const columns = extension.columns.map(
    ({ name: column, type, notNull, default: value }) =>
      `${quoteIdentifier(column, connection)} ${type}${notNull ? ' NOT NULL' : ''}${value === null ? '' : ` DEFAULT ${value}`}`,
  )
  return [
    `CREATE TABLE ${table} (${columns.join(', ')})`,
    `ALTER EXTENSION ${quoteIdentifier(extension.name, connection)} ADD TABLE ${table}`,
    // pg_extension_config_dump() works in an extension's own script only
    `UPDATE pg_catalog.pg_extension SET
       extconfig = coalesce(extconfig, '{}') OPERATOR(pg_catalog.||) ${quoteRegclass(schema, name, connection)}::pg_catalog.regclass::pg_catalog.oid,
       extcondition = coalesce(extcondition, '{}') OPERATOR(pg_catalog.||) ${quoteLiteral(extension.condition, connection)}::pg_catalog.text
     WHERE extname OPERATOR(pg_catalog.=) ${quoteLiteral(extension.name, connection)}`,
  ]
}
