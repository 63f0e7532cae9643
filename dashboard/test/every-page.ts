import type { Page } from 'playwright-core'

export interface PageToSee {
  name: string
  path: string
  /** What is there once it is all read. */
  shows: string | RegExp
  /** What is done on it before it is looked at. */
  act?: (page: Page) => Promise<void>
}

/** Every page of somebody who has signed in, with the database, the backup and the run that it is about. */
export function everyPage({ database, backup, run }: { database: string; backup: string; run: string }): PageToSee[] {
  const name = encodeURIComponent(database)
  return [
    { name: 'overview', path: '/', shows: 'Latest runs' },
    { name: 'database', path: `/databases/${name}`, shows: 'Tables and proof' },
    { name: 'trends', path: `/databases/${name}?tab=trends`, shows: /Stored for it|second backup/ },
    { name: 'objectives', path: `/databases/${name}?tab=settings`, shows: 'Stop backing it up.' },
    { name: 'backup', path: `/backups/${backup}`, shows: 'Restored, and found equal' },
    { name: 'rows', path: `/backups/${backup}?schema=public&table=customers`, shows: 'Customer 1' },
    {
      name: 'restore',
      path: `/restore?database=${name}`,
      shows: 'In place',
      act: async (page) => {
        await page.getByText('In place', { exact: true }).click()
        await page.getByRole('button', { name: 'Show the plan' }).click()
        await page.getByLabel(/to confirm/).waitFor()
      },
    },
    { name: 'add', path: '/add', shows: 'URL of the database' },
    { name: 'runs', path: '/runs', shows: /Backup/ },
    { name: 'run', path: `/runs/${run}`, shows: 'Log' },
    { name: 'schedules', path: '/schedules', shows: 'nightly' },
    {
      name: 'schedule',
      path: '/schedules',
      shows: 'nightly',
      act: async (page) => {
        await page.getByRole('button', { name: 'New schedule' }).click()
        await page.getByText('Then it runs').waitFor()
      },
    },
    { name: 'repositories', path: '/repositories', shows: 'Since' },
    { name: 'retention', path: '/retention', shows: 'some of the day stay' },
    { name: 'alerts', path: '/alerts', shows: /open alert|since/i },
    { name: 'channels', path: '/alerts?tab=channels', shows: /Nobody is told yet|Send a test/ },
    { name: 'users', path: '/users', shows: 'Signs in by' },
    { name: 'tokens', path: '/tokens', shows: /No token yet|Revoke/ },
    { name: 'audit', path: '/audit', shows: 'Outcome' },
    { name: 'settings', path: '/settings', shows: 'Secrets' },
    { name: 'account', path: '/account', shows: 'Second factor' },
    {
      name: 'keys',
      path: '/alerts',
      shows: 'Alerts',
      act: async (page) => {
        await page.locator('body').press('?')
        await page.getByText('On a timeline').waitFor()
      },
    },
    { name: 'lost', path: '/nowhere', shows: 'No page has this address' },
  ]
}

/** Goes there, and waits until it shows what it has. */
export async function see(page: Page, base: string, { path, shows, act }: PageToSee): Promise<void> {
  await page.goto(base + path)
  await page
    .locator('main')
    .getByText(shows)
    .first()
    .or(page.getByRole('dialog').getByText(shows).first())
    .first()
    .waitFor()
  await act?.(page)
}
