import { useQuery, useQueryClient } from '@tanstack/react-query'
import { CircleUser, LogOut, Menu as MenuIcon, Monitor, Moon, Search, Sun, X } from 'lucide-react'
import { Suspense, useEffect, useRef, useState } from 'react'
import { NavLink, Outlet, useLocation, useNavigate } from 'react-router'
import { post } from '../api/client.ts'
import { useConnectionLostAt } from '../api/connection.ts'
import { followEvents } from '../api/events.ts'
import { queries } from '../api/queries.ts'
import { Button } from '../ui/Button.tsx'
import { Loading } from '../ui/Note.tsx'
import { Toasts } from '../ui/toasts.tsx'
import { Brand } from './Brand.tsx'
import { Lost } from './Lost.tsx'
import { Mishap } from './Mishap.tsx'
import { KeysHelp } from './KeysHelp.tsx'
import { useKeys } from './keys.ts'
import { places } from './navigation.ts'
import { Palette } from './Palette.tsx'
import { useSession } from './session.ts'
import { useTheme, type Theme } from './theme.ts'

const themes: { value: Theme; text: string; icon: typeof Sun }[] = [
  { value: 'system', text: 'Theme: as the system', icon: Monitor },
  { value: 'light', text: 'Theme: light', icon: Sun },
  { value: 'dark', text: 'Theme: dark', icon: Moon },
]

export function Shell() {
  const session = useSession()
  const navigate = useNavigate()
  const location = useLocation()
  const main = useRef<HTMLElement>(null)
  const [openAt, setOpenAt] = useState<string | null>(null)
  // Whoever goes somewhere leaves the menu behind.
  const open = openAt === location.key
  const setOpen = (next: boolean) => setOpenAt(next ? location.key : null)
  const [asked, setAsked] = useState<'keys' | 'palette' | null>(null)
  const client = useQueryClient()
  useEffect(() => followEvents(client), [client])
  const shown = places.map((group) => ({
    ...group,
    places: group.places.filter((place) => !place.scope || session.may(place.scope)),
  }))

  useKeys({
    '?': () => setAsked('keys'),
    'ctrl+k': () => setAsked('palette'),
    '/': () => setAsked('palette'),
    ...Object.fromEntries(
      shown.flatMap((group) => group.places).map((place) => [`g ${place.key}`, () => void navigate(place.to)]),
    ),
  })

  // A new page begins at its top, and whoever reads by ear or key is there, too.
  const path = location.pathname
  const before = useRef(path)
  useEffect(() => {
    if (before.current === path) return
    before.current = path
    window.scrollTo(0, 0)
    main.current?.focus({ preventScroll: true })
  }, [path])

  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="topbar">
        <Brand />
        <Button kind="ghost" icon={<Search />} label="Search" onClick={() => setAsked('palette')} />
        <Button
          kind="ghost"
          icon={open ? <X /> : <MenuIcon />}
          label="Menu"
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        />
      </header>
      {open && (
        <button type="button" className="sidebar-veil" aria-label="Close the menu" onClick={() => setOpen(false)} />
      )}
      <nav className={open ? 'sidebar open' : 'sidebar'} aria-label="Pages">
        <Brand />
        <button type="button" className="nav-link" onClick={() => setAsked('palette')}>
          <Search aria-hidden="true" /> Search <kbd>Ctrl K</kbd>
        </button>
        {shown.map((group, index) =>
          group.places.length === 0 ? null : (
            <div key={index} className="nav-group">
              {group.title !== undefined && <div className="nav-title">{group.title}</div>}
              {group.places.map((place) => (
                <NavLink key={place.to} to={place.to} end={place.to === '/'} className="nav-link">
                  <place.icon aria-hidden="true" /> {place.text}
                  {place.to === '/alerts' && <OpenAlerts />}
                </NavLink>
              ))}
            </div>
          ),
        )}
        <div className="sidebar-foot">
          <ThemeSwitch />
          <NavLink to="/account" className="nav-link">
            <CircleUser aria-hidden="true" /> <span className="cut">{session.user.name}</span>
          </NavLink>
          <SignOut />
          <Live version={session.version} />
        </div>
      </nav>
      <main className="main" id="main" ref={main} tabIndex={-1}>
        <Lost />
        <Mishap key={path}>
          <Suspense fallback={<Loading what="the page" />}>
            <Outlet />
          </Suspense>
        </Mishap>
      </main>
      <Toasts />
      <KeysHelp open={asked === 'keys'} onClose={() => setAsked(null)} />
      <Palette open={asked === 'palette'} onClose={() => setAsked(null)} />
    </div>
  )
}

function Live({ version }: { version: string }) {
  const live = useConnectionLostAt() === null
  return <div className={live ? 'live' : 'live lost'}>{live ? `Live · ${version}` : 'No connection: trying again'}</div>
}

function OpenAlerts() {
  const { data } = useQuery({ ...queries.overview, select: (overview) => overview.alerts.length })
  if (!data) return null
  return (
    <span className="nav-count">
      {data}
      <span className="hidden-text"> open</span>
    </span>
  )
}

function ThemeSwitch() {
  const [theme, setTheme] = useTheme()
  const index = themes.findIndex((one) => one.value === theme)
  const { text, icon: Icon } = themes[index] ?? { text: '', icon: Sun }
  const next = themes[(index + 1) % themes.length]
  return (
    <button type="button" className="nav-link" onClick={() => next && setTheme(next.value)}>
      <Icon aria-hidden="true" /> {text}
    </button>
  )
}

function SignOut() {
  const client = useQueryClient()
  return (
    <button
      type="button"
      className="nav-link"
      onClick={() => {
        void post('/api/auth/sign-out').finally(() => {
          client.clear()
          window.location.assign('/')
        })
      }}
    >
      <LogOut aria-hidden="true" /> Sign out
    </button>
  )
}
