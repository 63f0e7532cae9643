import { Search } from 'lucide-react'
import { useState } from 'react'
import { useSearchParams } from 'react-router'
import type { BackupDetail, BackupTable } from '../../../../src/shapes/database.ts'
import { useSession } from '../../app/session.ts'
import { change, count, plural, size } from '../../text/format.ts'
import { Button } from '../../ui/Button.tsx'
import { Choices } from '../../ui/Choices.tsx'
import { Part } from '../../charts/Part.tsx'
import { RowBrowser } from './RowBrowser.tsx'

type Which = 'all' | 'changed'

/** What it holds, the largest first, and what changed against the backup before. */
export function TableList({ backup }: { backup: BackupDetail }) {
  const { may } = useSession()
  const [search, setSearch] = useSearchParams()
  const [text, setText] = useState('')
  const [which, setWhich] = useState<Which>('all')
  const isChanged = (table: BackupTable) => table.change === null || !table.change.same
  const shown = backup.contents
    .filter((table) => which === 'all' || isChanged(table))
    .filter((table) => `${table.schema}.${table.name}`.toLowerCase().includes(text.toLowerCase()))
    .toSorted((a, b) => b.bytes - a.bytes)
  const largest = Math.max(1, ...backup.contents.map((table) => table.bytes))
  const opened = backup.contents.find(
    (table) => table.schema === search.get('schema') && table.name === search.get('table'),
  )
  return (
    <section className="section" aria-label="Tables">
      <div className="section-head">
        <h2>{plural(backup.contents.length, 'table')}</h2>
        {backup.before !== null && (
          <Choices<Which>
            label="Which tables"
            value={which}
            onChange={setWhich}
            options={[
              { value: 'all', label: 'All' },
              { value: 'changed', label: `Changed since the one before (${backup.contents.filter(isChanged).length})` },
            ]}
          />
        )}
        <input
          className="input slim filter"
          type="search"
          aria-label="Part of a table's name"
          placeholder="Filter by name"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </div>
      <div className="card table-scroll" tabIndex={0} role="region" aria-label="Tables">
        <table className="table">
          <thead>
            <tr>
              <th>Table</th>
              <th className="number">Rows</th>
              <th className="number">Change</th>
              <th>Size</th>
              <th>
                <span className="hidden-text">Act</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((table) => (
              <tr key={JSON.stringify([table.schema, table.name])}>
                <td className="break">
                  <span className="quiet">{table.schema}.</span>
                  <span className="strong">{table.name}</span>{' '}
                  {table.leftOut && <span className="chip">rows left out</span>}
                </td>
                <td className="number">{count(table.rows)}</td>
                <td className="number">{changeOf(table, backup.before !== null)}</td>
                <td className="nowrap bar-cell">
                  {size(table.bytes)}
                  <Part of={largest} part={table.bytes} />
                </td>
                <td className="act">
                  {may('rows') && !table.leftOut && (
                    <Button
                      slim
                      icon={<Search />}
                      onClick={() => setSearch({ schema: table.schema, table: table.name })}
                    >
                      Rows
                    </Button>
                  )}
                </td>
              </tr>
            ))}
            {backup.vanished.map((table) => (
              <tr key={JSON.stringify(['vanished', table.schema, table.name])} className="vanished">
                <td className="break">
                  <span className="quiet">{table.schema}.</span>
                  <del>{table.name}</del>
                </td>
                <td className="number">–</td>
                <td className="number tone-risk">{change(-table.rows)}</td>
                <td className="quiet" colSpan={2}>
                  was in the backup before, and is not in this one
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {shown.length === 0 && backup.vanished.length === 0 && <p className="nothing">No table fits.</p>}
      </div>
      {opened && <RowBrowser backup={backup.id} table={opened} onClose={() => setSearch({})} />}
    </section>
  )
}

function changeOf({ change: changed }: BackupTable, hasBefore: boolean) {
  if (!hasBefore) return null
  if (changed === null) return <span className="chip">new</span>
  if (changed.same) return <span className="quiet">same</span>
  return changed.rows === 0 ? <span>contents</span> : <span>{change(changed.rows)}</span>
}
