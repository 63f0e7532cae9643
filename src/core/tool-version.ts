import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** package.json lies two folders above the sources, and three above what is built from them. */
function readVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    const url = new URL(path, import.meta.url)
    try {
      const { name, version } = z.object({ name: z.string(), version: z.string() }).parse(JSON.parse(readFileSync(url, 'utf8')))
      if (name === 'pgrevive') return version
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    }
  }
  throw new Error('the package.json of pgrevive is missing')
}

/** As it stands in records and proofs: `pgrevive 0.1.0`. */
export const toolVersion = `pgrevive ${readVersion()}`
