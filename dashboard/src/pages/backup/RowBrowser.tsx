import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { BackupTable } from '../../../../src/shapes/database.ts'
import { queries } from '../../api/queries.ts'
import { count } from '../../text/format.ts'
import { Asked } from '../../ui/Asked.tsx'
import { Button } from '../../ui/Button.tsx'
import { Dialog } from '../../ui/Dialog.tsx'

/** Rows of a table as the backup holds them, read from the repository: nothing is restored for it. */
export function RowBrowser({ backup, table, onClose }: { backup: string; table: BackupTable; onClose: () => void }) {
  const [text, setText] = useState('')
  const [wanted, setWanted] = useState('')
  const query = useQuery({ ...queries.rows(backup, table, wanted), placeholderData: keepPreviousData })
  return (
    <Dialog
      open
      onClose={onClose}
      wide
      title={`${table.schema}.${table.name}`}
      about={`${count(table.rows)} rows, as the backup holds them.`}
    >
      <div className="stack">
        <form
          className="row nowrap"
          role="search"
          onSubmit={(event) => {
            event.preventDefault()
            setWanted(text)
          }}
        >
          <input
            className="input"
            type="search"
            aria-label="Text that a value contains"
            placeholder="Text that a value contains"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <Button type="submit" kind="primary">
            Search
          </Button>
        </form>
        <Asked query={query} what="rows">
          {(rows) => (
            <>
              <div className="card table-scroll rows" tabIndex={0} role="region" aria-label="Rows">
                <table className="table">
                  <thead>
                    <tr>
                      {rows.columns.map((column) => (
                        <th key={column}>{column}</th>
                      ))}
                    </tr>
                  </thead>
                  <tbody>
                    {rows.rows.map((row, index) => (
                      // Rows of a backup have no identity but their order.
                      <tr key={index}>
                        {row.map((value, at) => (
                          <td key={rows.columns[at]} className="mono">
                            {value === null ? <span className="quiet">NULL</span> : value}
                          </td>
                        ))}
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              <p className="small quiet" role="status">
                {query.isFetching
                  ? 'Searching…'
                  : `${count(rows.rows.length)} shown, ${count(rows.searched)} of ${count(table.rows)} rows read${rows.more ? '; there are more: search for something closer' : ''}.`}
              </p>
            </>
          )}
        </Asked>
      </div>
    </Dialog>
  )
}
