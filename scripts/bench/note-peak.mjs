import { appendFileSync } from 'node:fs'

// Loaded into pgrevive with --import: the most memory that it had, in KiB, for measure.ts.
process.on('exit', () => appendFileSync('.peaks', `${process.resourceUsage().maxRSS}\n`))
