import { useQuery } from '@tanstack/react-query'
import { queries } from '../../api/queries.ts'
import { Page } from '../../app/Page.tsx'
import { Asked } from '../../ui/Asked.tsx'
import { Secrets } from './Secrets.tsx'
import { SettingsEditor } from './SettingsEditor.tsx'

export function SettingsPage() {
  const query = useQuery(queries.settings)
  return (
    <Page
      title="Settings"
      about="All of it is one file. Change it here or with an editor: the service takes a valid change at once, and keeps the old one otherwise."
    >
      <Asked query={query} what="the settings">
        {(settings) => <SettingsEditor settings={settings} />}
      </Asked>
      <Secrets />
    </Page>
  )
}
