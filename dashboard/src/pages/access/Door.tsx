import { useEffect, type ReactNode } from 'react'
import { Brand } from '../../app/Brand.tsx'

/** The frame of pages for people who have not signed in. */
export function Door({ title, about, children }: { title: string; about: ReactNode; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · pgrevive`
  }, [title])
  return (
    <main className="door">
      <div className="door-card">
        <Brand />
        <div>
          <h1>{title}</h1>
          <p className="quiet">{about}</p>
        </div>
        {children}
      </div>
    </main>
  )
}
