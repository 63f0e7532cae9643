import type { Page } from 'playwright-core'

/** What a new user does, as they would: by what they read on the screen. */

export const account = { name: 'Ada Lovelace', email: 'ada@example.com', password: 'correct horse battery' }

export async function makeAccount(page: Page, link: string): Promise<void> {
  await fillAccount(page, link)
  await page.getByRole('heading', { name: 'Add a database' }).waitFor()
}

export async function fillAccount(page: Page, link: string): Promise<void> {
  await page.goto(link)
  await page.getByLabel('Your name').fill(account.name)
  await page.getByLabel('E-mail').fill(account.email)
  await page.getByLabel('Password').fill(account.password)
  await page.getByRole('button', { name: 'Make the account' }).click()
}

/** From a URL to a proven backup and a schedule; ends on the overview. Returns the recovery kit, if one was made. */
export async function addDatabase(page: Page, url: string): Promise<string | null> {
  await page.getByLabel('URL of the database').fill(url)
  await page.getByText('Connected.').waitFor()
  await page.getByRole('button', { name: 'Go on' }).click()
  const makes = page.getByRole('button', { name: 'Make the repository' })
  const adds = page.getByRole('button', { name: 'Add the database' })
  await makes.or(adds).waitFor()
  let kit: string | null = null
  if (await makes.isVisible()) {
    await makes.click()
    await page.getByText('I keep it in another place than this machine').click()
    kit = await page.locator('.recovery-kit code').textContent()
    await page.getByRole('button', { name: 'Go on' }).click()
    await page.getByRole('button', { name: 'Back it up now' }).waitFor()
    const { waitingKits } = (await (await page.request.get(new URL('/api/overview', page.url()).href)).json()) as {
      waitingKits: string[]
    }
    if (waitingKits.length > 0) throw new Error('who said to keep the kit is asked to keep it again')
  } else await adds.click()
  await page.getByRole('button', { name: 'Back it up now' }).click()
  await page.getByText('Restored, and found equal.').waitFor({ timeout: 120_000 })
  await page.getByRole('button', { name: 'Go on' }).click()
  const save = page.getByRole('button', { name: 'Save the schedule' })
  const already = page.getByRole('heading', { name: 'It is scheduled already' })
  await save.or(already).waitFor()
  if (await save.isVisible()) await save.click()
  else await page.getByRole('button', { name: 'Go on' }).click()
  await page.getByRole('link', { name: 'To the overview' }).click()
  await page.getByRole('heading', { name: /can be restored right now/ }).waitFor()
  return kit
}

/** The drill that was scheduled, without waiting for its time; ends on the run's page, once it is done. */
export async function drillNow(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Schedules' }).first().click()
  await page.getByRole('button', { name: 'Run drill now' }).click()
  await waitForRun(page)
  await page.getByRole('link', { name: 'Overview' }).first().click()
  await page.getByRole('heading', { name: /can be restored right now/ }).waitFor()
}

/** The newest proven backup, in the place of the live database; ends on the run's page, once it is done. */
export async function restoreInPlace(page: Page, database: string): Promise<void> {
  await page.getByRole('link', { name: 'Restore', exact: true }).click()
  await page.getByText('In place', { exact: true }).click()
  await page.getByRole('button', { name: 'Show the plan' }).click()
  await page.getByLabel(`Type ${database} to confirm`).fill(database)
  await page.getByRole('button', { name: 'Restore', exact: true }).click()
  await waitForRun(page)
}

export async function undoRestore(page: Page, database: string): Promise<void> {
  await page.getByRole('button', { name: 'Undo…' }).click()
  const before = page.url()
  await page.getByLabel(`Type ${database} to confirm`).fill(database)
  await page.getByRole('button', { name: 'Undo the restore' }).click()
  await page.waitForURL((url) => url.href !== before)
  await waitForRun(page)
}

/** Until the run whose page this is has ended well, and the page says so. */
async function waitForRun(page: Page): Promise<void> {
  await page.waitForURL(/\/runs\//)
  // Of the run of the address: for a moment the page of the one before may still be shown.
  const address = page.url().replace('/runs/', '/api/runs/')
  const until = Date.now() + 120_000
  let run: { state: string; commandLine: string }
  do {
    await page.waitForTimeout(200)
    run = (await (await page.request.get(address)).json()) as typeof run
  } while ((run.state === 'waiting' || run.state === 'running') && Date.now() < until)
  if (run.state !== 'done') throw new Error(`the run is ${run.state}: ${await page.locator('main').innerText()}`)
  await page.getByText(run.commandLine).first().waitFor()
  await page.locator('.badge').first().filter({ hasText: 'done' }).waitFor()
}
