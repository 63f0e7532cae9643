import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useMemo } from 'react'
import { Outlet, Route, Routes } from 'react-router'
import { queries } from '../api/queries.ts'
import { Asked } from '../ui/Asked.tsx'
import { Loading } from '../ui/Note.tsx'
import { Toasts } from '../ui/toasts.tsx'
import { OverviewPage } from '../pages/overview/OverviewPage.tsx'
import { SessionContext, useSession, type Session } from './session.ts'
import { Shell } from './Shell.tsx'

const page = <Name extends string>(load: () => Promise<Record<Name, React.ComponentType>>, name: Name) =>
  lazy(async () => ({ default: (await load())[name] }))

const SignInPage = page(() => import('../pages/access/SignInPage.tsx'), 'SignInPage')
const SetupPage = page(() => import('../pages/access/SetupPage.tsx'), 'SetupPage')
const InvitePage = page(() => import('../pages/access/InvitePage.tsx'), 'InvitePage')
const AccountPage = page(() => import('../pages/access/AccountPage.tsx'), 'AccountPage')
const UsersPage = page(() => import('../pages/access/UsersPage.tsx'), 'UsersPage')
const TokensPage = page(() => import('../pages/access/TokensPage.tsx'), 'TokensPage')
const AuditPage = page(() => import('../pages/access/AuditPage.tsx'), 'AuditPage')
const AddPage = page(() => import('../pages/add/AddPage.tsx'), 'AddPage')
const DatabasePage = page(() => import('../pages/database/DatabasePage.tsx'), 'DatabasePage')
const BackupPage = page(() => import('../pages/backup/BackupPage.tsx'), 'BackupPage')
const RestorePage = page(() => import('../pages/restore/RestorePage.tsx'), 'RestorePage')
const RunsPage = page(() => import('../pages/runs/RunsPage.tsx'), 'RunsPage')
const RunPage = page(() => import('../pages/runs/RunPage.tsx'), 'RunPage')
const SchedulesPage = page(() => import('../pages/schedules/SchedulesPage.tsx'), 'SchedulesPage')
const RepositoriesPage = page(() => import('../pages/repositories/RepositoriesPage.tsx'), 'RepositoriesPage')
const RetentionPage = page(() => import('../pages/retention/RetentionPage.tsx'), 'RetentionPage')
const AlertsPage = page(() => import('../pages/alerts/AlertsPage.tsx'), 'AlertsPage')
const SettingsPage = page(() => import('../pages/settings/SettingsPage.tsx'), 'SettingsPage')
const AdminsOnly = page(() => import('../pages/AdminsOnly.tsx'), 'AdminsOnly')
const LostPage = page(() => import('../pages/LostPage.tsx'), 'LostPage')

export function App() {
  const me = useQuery(queries.me)
  const session = useMemo<Session | null>(() => {
    if (!me.data?.user) return null
    const scopes = new Set(me.data.scopes)
    return { user: me.data.user, version: me.data.version, may: (scope) => scopes.has(scope) }
  }, [me.data])

  return (
    <Suspense fallback={<Loading what="the page" />}>
      <Routes>
        <Route path="/setup" element={<SetupPage />} />
        <Route path="/invitation" element={<InvitePage />} />
        <Route
          path="*"
          element={
            <Asked query={me} what="who you are">
              {(known) =>
                session ? (
                  <SessionContext value={session}>
                    <Pages />
                  </SessionContext>
                ) : (
                  <>
                    <SignInPage key={String(known.setup)} />
                    <Toasts />
                  </>
                )
              }
            </Asked>
          }
        />
      </Routes>
    </Suspense>
  )
}

/** What others could only look at without being able to do it is not shown to them. */
function ForAdmins() {
  const { may } = useSession()
  return may('administer') ? <Outlet /> : <AdminsOnly />
}

function Pages() {
  return (
    <Routes>
      <Route element={<Shell />}>
        <Route index element={<OverviewPage />} />

        <Route path="databases/:name" element={<DatabasePage />} />
        <Route path="backups/:id" element={<BackupPage />} />
        <Route path="restore" element={<RestorePage />} />
        <Route path="runs" element={<RunsPage />} />
        <Route path="runs/:id" element={<RunPage />} />
        <Route path="schedules" element={<SchedulesPage />} />
        <Route path="repositories" element={<RepositoriesPage />} />
        <Route path="retention" element={<RetentionPage />} />
        <Route path="alerts" element={<AlertsPage />} />

        <Route element={<ForAdmins />}>
          <Route path="add" element={<AddPage />} />
          <Route path="users" element={<UsersPage />} />
          <Route path="tokens" element={<TokensPage />} />
          <Route path="audit" element={<AuditPage />} />
          <Route path="settings" element={<SettingsPage />} />
        </Route>
        <Route path="account" element={<AccountPage />} />
        <Route path="*" element={<LostPage />} />
      </Route>
    </Routes>
  )
}
