import { DropdownMenu, Slot } from 'radix-ui'
import { useState, type ReactNode } from 'react'
import { Link } from 'react-router'

interface MenuParts {
  trigger: ReactNode
  children: ReactNode
}

/** There may be hundreds on a page: until it is opened for the first time, a menu is its button alone. */
export function Menu({ trigger, children }: MenuParts) {
  const [wanted, setWanted] = useState(false)
  if (wanted) return <OpenedMenu trigger={trigger}>{children}</OpenedMenu>
  return (
    <Slot.Root
      aria-haspopup="menu"
      aria-expanded={false}
      onClick={() => setWanted(true)}
      onKeyDown={(event) => event.key === 'ArrowDown' && setWanted(true)}
    >
      {trigger}
    </Slot.Root>
  )
}

/** `modal` stays off: it would lock scrolling by a <style> that the content policy refuses. */
function OpenedMenu({ trigger, children }: MenuParts) {
  return (
    <DropdownMenu.Root modal={false} defaultOpen>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="end" sideOffset={6} collisionPadding={8}>
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  )
}

interface Item {
  icon?: ReactNode
  children: ReactNode
}

export const MenuAct = ({
  icon,
  children,
  onSelect,
  disabled,
}: Item & { onSelect: () => void; disabled?: boolean }) => (
  <DropdownMenu.Item className="menu-item" onSelect={onSelect} disabled={disabled ?? false}>
    {icon}
    {children}
  </DropdownMenu.Item>
)

export const MenuLink = ({ icon, children, to }: Item & { to: string }) => (
  <DropdownMenu.Item asChild>
    <Link className="menu-item" to={to}>
      {icon}
      {children}
    </Link>
  </DropdownMenu.Item>
)

export const MenuLine = () => <DropdownMenu.Separator className="menu-line" />
