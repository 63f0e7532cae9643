import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where the dashboard lies once it is built: a package brings it along. */
export const builtPages = join(root, 'dist', 'dashboard')

/**
 * Builds the dashboard in a checkout in which it is not built, or `anew`. It takes its place by one rename, so that two who do
 * this at once do no harm. Does nothing in a package, which has no sources and no vite.
 */
export async function buildPages({ anew = false, tell }: { anew?: boolean; tell?: (text: string) => void } = {}) {
  const configFile = join(root, 'dashboard', 'vite.config.ts')
  if (!existsSync(configFile) || (!anew && existsSync(join(builtPages, 'index.html')))) return
  tell?.('building the dashboard, since this is a checkout in which it is not built')
  const { build } = await import('vite')
  const outDir = `${builtPages}-${process.pid}`
  await build({ configFile, logLevel: 'error', build: { outDir } })
  await rm(builtPages, { recursive: true, force: true })
  try {
    await rename(outDir, builtPages)
  } catch (error) {
    await rm(outDir, { recursive: true, force: true })
    // Somebody else was faster: theirs is as good.
    if (!existsSync(join(builtPages, 'index.html'))) throw error
  }
}
