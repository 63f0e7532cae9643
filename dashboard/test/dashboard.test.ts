import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { AxeBuilder } from '@axe-core/playwright'
import type { Browser, Page } from 'playwright-core'
import type { ConnectionTarget } from '../../src/postgres/target/connection-target.ts'
import { Connection } from '../../src/postgres/wire/connection.ts'
import { noBrowser, openBrowser, openPage } from './browser.ts'
import { startDashboardService, type DashboardService } from './dashboard-service.ts'
import { everyPage, see, type PageToSee } from './every-page.ts'
import { createShop, hostileName, startReachableServer, type ReachableServer } from './shop.ts'
import { totp } from '../../src/api/access/test-totp.ts'
import { account, addDatabase, drillNow, makeAccount, restoreInPlace, undoRestore } from './story.ts'

const wcag = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']

describe('the dashboard, in a browser, against the service and a server', { skip: noBrowser }, () => {
  let server: ReachableServer
  let service: DashboardService
  let browser: Browser
  let page: Page
  let troubles: string[]
  let shop: ConnectionTarget
  let pages: PageToSee[]

  before(async () => {
    server = await startReachableServer()
    shop = await createShop(server.server, 'shop')
    service = await startDashboardService()
    browser = await openBrowser()
    ;({ page, troubles } = await openPage(browser))
  })
  after(async () => {
    await browser?.close()
    await service?.[Symbol.asyncDispose]()
    await server?.[Symbol.asyncDispose]()
  })

  const orders = async () => {
    await using session = await Connection.connect(shop)
    const [row] = await session.query('SELECT count(*)::text FROM orders')
    return Number(row?.[0])
  }

  it('leads from the first link to a restored and proven database, and back', { timeout: 180_000 }, async (t) => {
    const began = Date.now()
    await makeAccount(page, service.link)
    const kit = await addDatabase(page, server.url('shop'))
    assert.match(kit ?? '', /AGE-SECRET-KEY-1/)

    await drillNow(page)
    await using session = await Connection.connect(shop)
    await session.execute('DELETE FROM orders WHERE id > 10')
    await session[Symbol.asyncDispose]()
    await restoreInPlace(page, 'shop')
    assert.equal(await orders(), 5000)
    await undoRestore(page, 'shop')
    assert.equal(await orders(), 10)
    t.diagnostic(`it took ${Math.round((Date.now() - began) / 1000)} s`)
    assert.deepEqual(troubles, [])
  })

  it('says over everything that the service is not heard, and until when what it shows was true', async () => {
    await page.route('**/api/events', (route) => route.abort())
    await page.goto(service.url)
    const lost = page.getByText(/^No connection since \d\d:\d\d:\d\d/)
    await lost.waitFor()
    await page.unroute('**/api/events')
    await lost.waitFor({ state: 'detached' })
    assert.ok(troubles.splice(0).every((trouble) => trouble.includes('/api/events')))
  })

  it('saves no policy that keeps nothing, nor one whose effect it could not show', async () => {
    await page.goto(`${service.url}/retention`)
    await page.getByText('some of the day stay').waitFor()
    const save = page.getByRole('button', { name: 'Save the policy' })
    assert.equal(await save.isEnabled(), true)
    for (const field of ['Daily', 'Weekly', 'Monthly']) await page.getByLabel(field).fill('')
    await page.getByLabel('Newest').fill('0')
    await page.getByText('This names nothing to keep').waitFor()
    assert.equal(await save.isEnabled(), false)
    await page.route('**/api/retention/preview', (route) => route.abort())
    await page.getByLabel('Newest').fill('1')
    await page.getByText('The service does not answer.').waitFor()
    assert.equal(await save.isEnabled(), false)
    await page.unroute('**/api/retention/preview')
    assert.ok(troubles.splice(0).every((trouble) => trouble.includes('/api/retention/preview')))
  })

  it('makes no new schedule of one that is there', async () => {
    await page.goto(`${service.url}/schedules`)
    await page.getByRole('button', { name: 'New schedule' }).click()
    await page.getByLabel('Name').fill('nightly')
    await page.getByText('There is a schedule of this name already.').waitFor()
    assert.equal(await page.getByRole('button', { name: 'Save', exact: true }).isEnabled(), false)
  })

  it('gives the password of a database to nobody', async () => {
    const secret = new URL(server.url('shop')).password
    assert.ok(secret !== '')
    for (const path of ['/settings', '/databases/shop', '/runs', '/audit']) {
      await page.goto(service.url + path)
      await page.waitForLoadState('networkidle')
      assert.ok(!(await page.content()).includes(secret), path)
    }
  })

  it('shows names and rows as what they are, whatever they look like', async () => {
    await page.goto(`${service.url}/databases/shop`)
    await page.getByRole('link', { name: 'Tables and proof' }).click()
    await page.getByText(hostileName).waitFor()
    const row = page.getByRole('row').filter({ hasText: hostileName })
    await row.getByRole('button', { name: 'Rows' }).click()
    await page.getByText('<script>alert("row")</script>').waitFor()
    assert.equal(await page.locator('main img, main script').count(), 0)
    assert.deepEqual(troubles, [])
    const [, backup = ''] = /backups\/(\w+)/.exec(page.url()) ?? []
    const runs = (await (await page.request.get(`${service.url}/api/runs`)).json()) as { items: { id: string }[] }
    pages = everyPage({ database: 'shop', backup, run: runs.items[0]?.id ?? '' })
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`is accessible on every page, ${colorScheme}`, async () => {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      for (const one of pages) {
        await see(page, service.url, one)
        // What is not a colour is the same in the dark.
        const axe = new AxeBuilder({ page })
        const { violations } = await (
          colorScheme === 'light' ? axe.withTags(wcag) : axe.withRules(['color-contrast'])
        ).analyze()
        const found = violations.flatMap((violation) =>
          violation.nodes.map((node) => `${violation.id}: ${node.target.join(' ')} ${node.failureSummary}`),
        )
        assert.deepEqual(found, [], one.name)
      }
      assert.deepEqual(troubles, [])
    })
  }

  it('fits on a phone: no page is wider than 360 pixels, while it is built neither', async () => {
    await using phone = await page.context().newPage()
    await phone.setViewportSize({ width: 360, height: 780 })
    await phone.addInitScript(() => {
      const look = () => {
        const { scrollWidth, dataset } = document.documentElement
        dataset['widest'] = String(Math.max(scrollWidth, Number(dataset['widest'] ?? 0)))
        requestAnimationFrame(look)
      }
      requestAnimationFrame(look)
    })
    for (const one of pages) {
      await see(phone, service.url, one)
      assert.equal(await phone.evaluate(() => document.documentElement.dataset['widest']), '360', one.name)
    }
  })

  it('is used without a mouse: keys lead to menus, pages, databases, and points in time', async () => {
    await page.goto(service.url)
    await page.getByRole('heading', { name: /can be restored right now/ }).waitFor()
    const acts = page.getByRole('button', { name: 'What can be done with shop' })
    // opened for the first time, and again
    for (const key of ['Enter', 'ArrowDown']) {
      await acts.press(key)
      await page.getByRole('menuitem', { name: 'Prove the newest backup' }).waitFor()
      await page.keyboard.press('Escape')
      await page.getByRole('menu').waitFor({ state: 'detached' })
      assert.ok(await acts.evaluate((button) => button === document.activeElement))
    }
    await page.keyboard.press('g')
    await page.keyboard.press('s')
    await page.getByRole('heading', { name: 'Schedules' }).waitFor()
    await page.keyboard.press('Control+k')
    await page.getByRole('combobox').waitFor()
    await page.keyboard.type('shop')
    await page.keyboard.press('Enter')
    await page.waitForURL(/\/databases\/shop/)
    const timeline = page.getByRole('listbox', { name: /oldest first/ })
    await timeline.focus()
    await page.keyboard.press('Home')
    const oldest = await timeline.getByRole('option').first().getAttribute('aria-selected')
    assert.equal(oldest, 'true')
  })

  it('lets nobody in without the second factor once it is on', async () => {
    await page.goto(`${service.url}/account`)
    const card = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Second factor' }) })
    await card.getByLabel('Your password').fill(account.password)
    await card.getByRole('button', { name: 'Turn it on' }).click()
    await page.getByRole('img', { name: /QR code/ }).waitFor()
    const secret = (await card.locator('.copyable code').first().textContent()) ?? ''
    await card.getByLabel('The code that it shows now').fill(totp(secret))
    await card.getByRole('button', { name: 'Turn it on' }).click()
    await page.getByText('From now on signing in asks for a code.').waitFor()

    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Sign in' }).waitFor()
    const { violations } = await new AxeBuilder({ page }).withTags(wcag).analyze()
    assert.deepEqual(
      violations.map((violation) => violation.id),
      [],
    )
    const signIn = async (password: string) => {
      await page.getByLabel('E-mail').fill(account.email)
      await page.getByLabel('Password').fill(password)
      await page.getByRole('button', { name: 'Sign in' }).click()
    }
    await signIn('not the right one')
    await page.getByRole('alert').waitFor()
    await signIn(account.password)
    await page.getByRole('heading', { name: 'One more step' }).waitFor()
    const { user } = (await (await page.request.get(`${service.url}/api/me`)).json()) as { user: object | null }
    assert.equal(user, null)
    // the one before has been used
    await page.getByLabel('Code').fill(totp(secret, Date.now() + 30_000))
    await page.getByRole('button', { name: 'Go on' }).click()
    await page.getByRole('heading', { name: /can be restored right now/ }).waitFor()
  })
})
