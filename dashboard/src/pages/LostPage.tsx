import { MapPinOff } from 'lucide-react'
import { Page } from '../app/Page.tsx'
import { ButtonLink } from '../ui/Button.tsx'
import { Empty } from '../ui/Note.tsx'

export function LostPage() {
  return (
    <Page title="Nothing is here">
      <Empty
        icon={<MapPinOff aria-hidden="true" />}
        title="No page has this address"
        action={<ButtonLink to="/">To the overview</ButtonLink>}
      >
        It may have been a link to something that was removed.
      </Empty>
    </Page>
  )
}
