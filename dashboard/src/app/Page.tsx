import { useEffect, type ReactNode } from 'react'
import { Link } from 'react-router'

/** The head of a page, and its title in the tab. */
export function Page({
  title,
  about,
  actions,
  crumbs,
  children,
}: {
  title: string
  about?: ReactNode
  actions?: ReactNode
  crumbs?: { to: string; text: string }[]
  children: ReactNode
}) {
  useEffect(() => {
    document.title = `${title} · pgrevive`
  }, [title])
  return (
    <>
      {crumbs && (
        <nav className="crumbs" aria-label="Where this is">
          {crumbs.map((crumb) => (
            <span key={crumb.to}>
              <Link to={crumb.to}>{crumb.text}</Link> /
            </span>
          ))}
        </nav>
      )}
      <header className="page-head">
        <div>
          <h1>{title}</h1>
          {about !== undefined && <p>{about}</p>}
        </div>
        {actions !== undefined && <div className="page-actions">{actions}</div>}
      </header>
      {children}
    </>
  )
}
