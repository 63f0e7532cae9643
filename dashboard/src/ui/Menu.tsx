import { DropdownMenu } from 'radix-ui'
import type { ReactNode } from 'react'
import { Link } from 'react-router'

/** `modal` stays off: it would lock scrolling by a <style> that the content policy refuses. */
export function Menu({ trigger, children }: { trigger: ReactNode; children: ReactNode }) {
  return (
    <DropdownMenu.Root modal={false}>
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
