import { useQuery } from '@tanstack/react-query'
import { Database, Play, Plus, ShieldCheck } from 'lucide-react'
import { useMemo, useState, type ReactNode } from 'react'
import { useNavigate } from 'react-router'
import { queries } from '../api/queries.ts'
import { startRun } from '../api/runs.ts'
import { Dialog } from '../ui/Dialog.tsx'
import { places } from './navigation.ts'
import { useSession } from './session.ts'

interface Entry {
  id: string
  text: string
  icon: ReactNode
  go: () => void
}

/** Goes anywhere and does the frequent things, by typing a part of the name. */
export function Palette({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} onClose={onClose} title="Go to, or do">
      {open && <Choice onClose={onClose} />}
    </Dialog>
  )
}

function Choice({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate()
  const { may } = useSession()
  const [text, setText] = useState('')
  const [chosen, setChosen] = useState(0)
  const overview = useQuery({ ...queries.overview, enabled: false })

  const entries = useMemo(() => {
    const all: Entry[] = []
    for (const place of places.flatMap((group) => group.places)) {
      if (place.scope && !may(place.scope)) continue
      all.push({ id: place.to, text: place.text, icon: <place.icon />, go: () => void navigate(place.to) })
    }
    if (may('administer'))
      all.push({ id: '/add', text: 'Add a database', icon: <Plus />, go: () => void navigate('/add') })
    for (const { name } of overview.data?.databases ?? []) {
      all.push({
        id: `db ${name}`,
        text: name,
        icon: <Database />,
        go: () => void navigate(`/databases/${encodeURIComponent(name)}`),
      })
      if (!may('operate')) continue
      all.push({
        id: `backup ${name}`,
        text: `Back up ${name}`,
        icon: <Play />,
        go: () => void startRun({ command: 'backup', databases: [name] }, navigate),
      })
      all.push({
        id: `prove ${name}`,
        text: `Prove ${name}`,
        icon: <ShieldCheck />,
        go: () => void startRun({ command: 'prove', databases: [name] }, navigate),
      })
    }
    return all
  }, [overview.data, may, navigate])

  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  const shown = entries.filter((entry) => words.every((word) => entry.text.toLowerCase().includes(word))).slice(0, 12)
  const take = (entry: Entry | undefined) => {
    if (!entry) return
    onClose()
    entry.go()
  }
  return (
    <div className="palette">
      <input
        className="input"
        role="combobox"
        aria-label="Part of a name"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={shown[chosen] && `palette-${chosen}`}
        placeholder="A database, a page, an act…"
        autoComplete="off"
        value={text}
        onChange={(event) => {
          setText(event.target.value)
          setChosen(0)
        }}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') setChosen(Math.min(shown.length - 1, chosen + 1))
          else if (event.key === 'ArrowUp') setChosen(Math.max(0, chosen - 1))
          else if (event.key === 'Enter') take(shown[chosen])
          else return
          event.preventDefault()
        }}
      />
      <ul id="palette-list" role="listbox" aria-label="What fits">
        {shown.map((entry, index) => (
          <li
            key={entry.id}
            id={`palette-${index}`}
            role="option"
            aria-selected={index === chosen}
            className="menu-item"
            data-highlighted={index === chosen ? '' : undefined}
            onMouseMove={() => setChosen(index)}
            onClick={() => take(entry)}
          >
            {entry.icon}
            <span className="cut">{entry.text}</span>
          </li>
        ))}
        {shown.length === 0 && <li className="quiet">Nothing has “{text}” in its name.</li>}
      </ul>
    </div>
  )
}
