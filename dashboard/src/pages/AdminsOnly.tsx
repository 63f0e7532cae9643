import { Lock } from 'lucide-react'
import { Page } from '../app/Page.tsx'
import { ButtonLink } from '../ui/Button.tsx'
import { Empty } from '../ui/Note.tsx'

export function AdminsOnly() {
  return (
    <Page title="For admins">
      <Empty
        icon={<Lock aria-hidden="true" />}
        title="This is for admins"
        action={<ButtonLink to="/">To the overview</ButtonLink>}
      >
        An admin can do it for you, or change your role.
      </Empty>
    </Page>
  )
}
