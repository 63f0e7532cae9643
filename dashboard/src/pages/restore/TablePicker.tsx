import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { queries } from '../../api/queries.ts'
import { count, size } from '../../text/format.ts'
import { Asked } from '../../ui/Asked.tsx'
import { Check } from '../../ui/Field.tsx'

export interface TableName {
  schema: string
  name: string
}

const isSame = (a: TableName, b: TableName) => a.schema === b.schema && a.name === b.name

export function TablePicker({
  backup,
  chosen,
  onChange,
}: {
  backup: string
  chosen: TableName[]
  onChange: (tables: TableName[]) => void
}) {
  const query = useQuery(queries.backup(backup))
  const [text, setText] = useState('')
  return (
    <Asked query={query} what="its tables">
      {({ contents }) => {
        const shown = contents.filter((table) =>
          `${table.schema}.${table.name}`.toLowerCase().includes(text.toLowerCase()),
        )
        return (
          <fieldset className="stack tight">
            <legend>Tables</legend>
            {contents.length > 10 && (
              <input
                className="input slim filter"
                type="search"
                aria-label="Part of a table's name"
                placeholder="Filter by name"
                value={text}
                onChange={(event) => setText(event.target.value)}
              />
            )}
            <ul className="table-picker card">
              {shown.map((table) => (
                <li key={JSON.stringify([table.schema, table.name])}>
                  <Check
                    checked={chosen.some((one) => isSame(one, table))}
                    disabled={table.leftOut}
                    onChange={(event) =>
                      onChange(
                        event.target.checked
                          ? [...chosen, { schema: table.schema, name: table.name }]
                          : chosen.filter((one) => !isSame(one, table)),
                      )
                    }
                  >
                    <span className="quiet">{table.schema}.</span>
                    {table.name}
                  </Check>
                  <span className="small quiet nowrap">
                    {count(table.rows)} rows, {size(table.bytes)}
                  </span>
                </li>
              ))}
            </ul>
          </fieldset>
        )
      }}
    </Asked>
  )
}
