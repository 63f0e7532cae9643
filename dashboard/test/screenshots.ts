import { execFile } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { loadSql, runClient } from '../../src/postgres/server/test-server.ts'
import type { ConnectionTarget } from '../../src/postgres/target/connection-target.ts'
import { openBrowser, openPage } from './browser.ts'
import { startDashboardService, type DashboardService } from './dashboard-service.ts'
import { everyPage, see } from './every-page.ts'
import { withPalette } from './palette-png.ts'
import { createShop, startReachableServer } from './shop.ts'
import { account, addDatabase, makeAccount } from './story.ts'

// Pictures of every page, as docs: "npm run screenshots". All that they show was done by the service with a real server.

const root = fileURLToPath(new URL('../..', import.meta.url))
const pictures = join(root, 'docs/screenshots')
const sizes = { wide: { width: 1280, height: 800 }, phone: { width: 360, height: 720 } }
const dayMs = 86_400_000

await using server = await startReachableServer()
await using service = await startDashboardService()
await using browser = await openBrowser()
await rm(pictures, { recursive: true, force: true })
await mkdir(pictures, { recursive: true })
const taken: string[] = []
const { page } = await openPage(browser, { reducedMotion: 'reduce' })

await page.goto(service.link)
await page.getByLabel('Your name').waitFor()
await takeAll('setup')
await makeAccount(page, service.link)
const shop = await createShop(server.server, 'shop', 20_000)
await addDatabase(page, server.url('shop'))
await importHistory(shop, service)
await createShop(server.server, 'identity', 3000)
await page.goto(`${service.url}/add`)
await addDatabase(page, server.url('identity'))
await loseDatabase('identity')
await inviteAndIssue()

const backups = await ask<{ id: string; proof: object | null }[]>('databases/shop/backups')
const runs = await ask<{ items: { id: string; command: string }[] }>('runs')
const backup = backups.find((one) => one.proof)?.id ?? ''
const run = runs.items.find((one) => one.command === 'backup')?.id ?? ''
for (const one of everyPage({ database: 'shop', backup, run })) {
  await see(page, service.url, one)
  await takeAll(one.name)
}
await page.getByRole('button', { name: 'Sign out' }).click()
await page.getByRole('heading', { name: 'Sign in' }).waitFor()
await page.getByLabel('E-mail').fill(account.email)
await takeAll('sign-in')
await writeFile(join(pictures, 'README.md'), index())

/** Light and dark, wide and on a phone. */
async function takeAll(name: string): Promise<void> {
  taken.push(name)
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      // Colours change with the next frames.
      await page.waitForTimeout(200)
      await writeFile(join(pictures, `${name}-${colorScheme}-${size}.png`), withPalette(await page.screenshot()))
    }
  }
  await page.setViewportSize(sizes.wide)
}

/** A dump each few days of the last months, made into proven backups under their own times: a past to look back on. */
async function importHistory(target: ConnectionTarget, { directory }: DashboardService): Promise<void> {
  const dumps = join(directory, 'dumps')
  await mkdir(dumps)
  for (const daysAgo of [56, 42, 28, 21, 14, 9, 6, 3, 1]) {
    await loadSql(target, `DELETE FROM orders WHERE id > ${20_000 - daysAgo * 150}`)
    const stamp = new Date(Date.now() - daysAgo * dayMs).toISOString().slice(0, 10).replaceAll('-', '')
    await runClient(target, 'pg_dump', ['-Fc', '-f', join(dumps, `shop_${stamp}_020000.dump`)])
    await loadSql(
      target,
      `INSERT INTO orders SELECT n, n % 500 + 1, n % 97 * 1.5 FROM generate_series(1, 20000) n ON CONFLICT DO NOTHING`,
    )
  }
  await pgrevive('import', '--prove', '--database', 'shop', dumps)
}

async function pgrevive(...args: string[]): Promise<void> {
  const { PATH } = process.env
  const all = [join(root, 'bin/pgrevive.js'), '--config', join(service.directory, 'pgrevive.yaml'), ...args]
  await promisify(execFile)(process.execPath, all, { env: { PATH, HOME: service.directory }, cwd: service.directory })
}

/** So that there is something that needs attention. */
async function loseDatabase(name: string): Promise<void> {
  await using session = await server.server.connect()
  await session.execute(`DROP DATABASE ${name} WITH (FORCE)`)
  await page.goto(`${service.url}/databases/${name}`)
  await page.getByRole('button', { name: 'Back up now' }).click()
  await page.locator('.badge').filter({ hasText: 'failed' }).first().waitFor({ timeout: 60_000 })
}

async function inviteAndIssue(): Promise<void> {
  await page.goto(`${service.url}/users`)
  await page.getByRole('button', { name: 'Invite somebody' }).click()
  await page.getByLabel('Name').fill('Grace Hopper')
  await page.getByLabel('E-mail').fill('grace@example.com')
  await page.getByRole('button', { name: 'Make the link' }).click()
  await page.getByText('Shown this once.').waitFor()
  await page.goto(`${service.url}/tokens`)
  await page.getByRole('button', { name: 'New token' }).first().click()
  await page.getByLabel('Name').fill('prometheus')
  await page.getByRole('button', { name: 'Make it' }).click()
  await page.getByText('Shown this once.').waitFor()
}

async function ask<Answer>(path: string): Promise<Answer> {
  return (await (await page.request.get(`${service.url}/api/${path}`)).json()) as Answer
}

function index(): string {
  const picture = (name: string, kind: string) => `![${name}, ${kind.replace('-', ', ')}](${name}-${kind}.png)`
  const rows = taken.map(
    (name) =>
      `## ${name}\n\n${picture(name, 'light-wide')}\n\n${picture(name, 'dark-wide')}\n\n${picture(name, 'light-phone')} ${picture(name, 'dark-phone')}\n`,
  )
  return `# The dashboard, page by page\n\nMade by \`npm run screenshots\`; everything in them was done by a service with a real server.\n\n${rows.join('\n')}`
}
