import { CircleAlert, CircleCheck, Info, TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { ApiError } from '../api/client.ts'
import type { Tone } from './Marks.tsx'
import { Waiting } from './Waiting.tsx'

const icons = { ok: CircleCheck, risk: TriangleAlert, bad: CircleAlert, idle: Info, busy: Info } as const

export function Note({ tone, children, action }: { tone: Tone; children: ReactNode; action?: ReactNode }) {
  const Icon = icons[tone]
  return (
    <div className={`note tone-${tone}`}>
      <Icon aria-hidden="true" />
      <div>{children}</div>
      {action}
    </div>
  )
}

interface Told {
  code: string
  message: string
  hint?: string | undefined
}

/** What went wrong, what to do, and the code to look up. */
export function Problem({ error, action }: { error: Told | Error; action?: ReactNode }) {
  const told: Told =
    error instanceof ApiError
      ? error
      : error instanceof Error
        ? {
            code: error.name,
            message: error.message,
            hint: 'Load the page again; if it stays, it is a defect of the dashboard.',
          }
        : error
  return (
    <div role="alert">
      <Note tone="bad" action={action}>
        <p className="strong">{told.message}</p>
        {told.hint !== undefined && <p className="hint">{told.hint}</p>}
        <p className="code">{told.code}</p>
      </Note>
    </div>
  )
}

/** A place where something will be, with what to do for it. */
export function Empty({
  icon,
  title,
  children,
  action,
}: {
  icon: ReactNode
  title: string
  children: ReactNode
  action?: ReactNode
}) {
  return (
    <div className="empty">
      {icon}
      <h3>{title}</h3>
      <p>{children}</p>
      {action !== undefined && <div className="row">{action}</div>}
    </div>
  )
}

/** Lines where there will be some, and what is waited for. */
export function Loading({ what }: { what: string }) {
  return (
    <div className="loading">
      <div className="loading-lines" aria-hidden="true">
        <span />
        <span />
        <span />
      </div>
      <Waiting what={`Reading ${what}`} />
    </div>
  )
}
