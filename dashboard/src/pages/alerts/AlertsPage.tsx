import { useQuery } from '@tanstack/react-query'
import { BellRing } from 'lucide-react'
import { useState } from 'react'
import { queries } from '../../api/queries.ts'
import { Page } from '../../app/Page.tsx'
import { Asked } from '../../ui/Asked.tsx'
import { Choices } from '../../ui/Choices.tsx'
import { Empty } from '../../ui/Note.tsx'
import { Tabs } from '../../ui/Tabs.tsx'
import { AlertNote } from './AlertNote.tsx'
import { Channels } from './Channels.tsx'

export function AlertsPage() {
  return (
    <Page title="Alerts" about="Told once, with reminders while they last, and once more when they end.">
      <Tabs
        label="Alerts"
        tabs={[
          { id: 'alerts', title: 'Alerts', content: <List /> },
          { id: 'channels', title: 'Channels', content: <Channels /> },
        ]}
      />
    </Page>
  )
}

function List() {
  const [which, setWhich] = useState<'open' | 'all'>('open')
  const query = useQuery(queries.alerts(which === 'open'))
  return (
    <div className="stack">
      <div>
        <Choices
          label="Which alerts"
          value={which}
          onChange={setWhich}
          options={[
            { value: 'open', label: 'Open' },
            { value: 'all', label: 'All' },
          ]}
        />
      </div>
      <Asked query={query} what="the alerts">
        {(page) =>
          page.items.length === 0 ? (
            <Empty
              icon={<BellRing aria-hidden="true" />}
              title={which === 'open' ? 'No open alert' : 'No alert so far'}
            >
              A failed or missed run, an objective at risk, an unusual size, a repository that can not be reached: each
              opens one alert, and ends it when all is well again.
            </Empty>
          ) : (
            <div className="stack tight">
              {page.items.map((alert) => (
                <AlertNote key={alert.id} alert={alert} />
              ))}
            </div>
          )
        }
      </Asked>
    </div>
  )
}
