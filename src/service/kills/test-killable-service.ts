import { createInterface } from 'node:readline'
import { Service } from '../service.ts'
import type { WantedRun } from '../runs/wanted-run.ts'

// A service, as "pgrevive serve" runs it, that takes what is wanted as lines of JSON on stdin, and answers each with the id
// of the run once that is durable. SIGTERM ends it gracefully.

const [configFile = '', stateDirectory = ''] = process.argv.slice(2)
const service = await Service.open({
  configFile,
  stateDirectory,
  environment: { ...process.env },
  homeDirectory: process.env['HOME'] ?? '/',
  tell: (line) => process.stderr.write(`${JSON.stringify(line)}\n`),
})
service.start()
process.once('SIGTERM', () => {
  void service.close().then(() => process.exit(0))
})
process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  const { dueAt, ...wanted }: Omit<WantedRun, 'dueAt'> & { dueAt?: string } = JSON.parse(line)
  const { id } = service.runs.request({ ...wanted, ...(dueAt === undefined ? {} : { dueAt: new Date(dueAt) }) })
  process.stdout.write(`${id}\n`)
}
