import {
  Bell,
  CalendarClock,
  CalendarRange,
  Database,
  FileCog,
  KeyRound,
  History,
  HardDrive,
  RotateCcw,
  ScrollText,
  Users,
  type LucideIcon,
} from 'lucide-react'
import type { Scope } from '../../../src/shapes/common.ts'

export interface Place {
  to: string
  text: string
  icon: LucideIcon
  /** Two keys, one after the other: "g" and this. */
  key: string
  scope?: Scope
}

export const places: { title?: string; places: Place[] }[] = [
  {
    places: [
      { to: '/', text: 'Overview', icon: Database, key: 'o' },
      { to: '/restore', text: 'Restore', icon: RotateCcw, key: 'r', scope: 'restore' },
      { to: '/runs', text: 'Runs', icon: History, key: 'u' },
      { to: '/schedules', text: 'Schedules', icon: CalendarClock, key: 's' },
      { to: '/repositories', text: 'Repositories', icon: HardDrive, key: 'p' },
      { to: '/retention', text: 'Retention', icon: CalendarRange, key: 'e' },
      { to: '/alerts', text: 'Alerts', icon: Bell, key: 'a' },
    ],
  },
  {
    title: 'Administration',
    places: [
      { to: '/users', text: 'Users', icon: Users, key: 'm', scope: 'administer' },
      { to: '/tokens', text: 'Tokens', icon: KeyRound, key: 't', scope: 'administer' },
      { to: '/audit', text: 'Audit log', icon: ScrollText, key: 'l', scope: 'administer' },
      { to: '/settings', text: 'Settings', icon: FileCog, key: 'c', scope: 'administer' },
    ],
  },
]
