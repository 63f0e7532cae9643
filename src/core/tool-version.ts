import { readFileSync } from 'node:fs'
import { z } from 'zod'

export const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')))

/** As it stands in records and proofs: `pgrevive 0.1.0`. */
export const toolVersion = `pgrevive ${version}`
