import type { ButtonHTMLAttributes, ReactNode } from 'react'
import { Link } from 'react-router'

type Kind = 'primary' | 'plain' | 'danger' | 'ghost'

interface Look {
  kind?: Kind
  slim?: boolean
  /** Shown alone if there are no children; `label` then says what it does. */
  icon?: ReactNode
  label?: string
}

const classes = ({ kind = 'plain', slim, icon }: Look, children: ReactNode) =>
  ['button', kind, slim && 'slim', icon && !children && 'icon'].filter(Boolean).join(' ')

export function Button({ kind, slim, icon, label, children, ...rest }: Look & ButtonHTMLAttributes<HTMLButtonElement>) {
  const look = { ...(kind && { kind }), ...(slim && { slim }), icon }
  return (
    <button type="button" className={classes(look, children)} aria-label={label} title={label} {...rest}>
      {icon}
      {children}
    </button>
  )
}

export function ButtonLink({ to, kind, slim, icon, children }: Look & { to: string; children: ReactNode }) {
  const look = { ...(kind && { kind }), ...(slim && { slim }), icon }
  return (
    <Link to={to} className={classes(look, children)}>
      {icon}
      {children}
    </Link>
  )
}
