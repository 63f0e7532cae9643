import { Tabs as Radix } from 'radix-ui'
import type { ReactNode } from 'react'
import { useSearchParams } from 'react-router'

/** The chosen tab is in the address (?tab=), so that it can be linked to. */
export function Tabs({ label, tabs }: { label: string; tabs: { id: string; title: ReactNode; content: ReactNode }[] }) {
  const [search, setSearch] = useSearchParams()
  const chosen = tabs.find((tab) => tab.id === search.get('tab')) ?? tabs[0]
  return (
    <Radix.Root
      value={chosen?.id ?? ''}
      onValueChange={(tab) =>
        setSearch((old) => new URLSearchParams([...old].filter(([key]) => key !== 'tab').concat([['tab', tab]])), {
          replace: true,
        })
      }
    >
      <Radix.List className="tabs-list" aria-label={label}>
        {tabs.map((tab) => (
          <Radix.Trigger key={tab.id} className="tab" value={tab.id}>
            {tab.title}
          </Radix.Trigger>
        ))}
      </Radix.List>
      {tabs.map((tab) => (
        <Radix.Content key={tab.id} value={tab.id} tabIndex={-1}>
          {tab.content}
        </Radix.Content>
      ))}
    </Radix.Root>
  )
}
