import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { runCommandLine } from './command-line.ts'
import { listenForStop } from './stop-signals.ts'

// The only file that reads the process: arguments, variables, streams and signals. Everything else is handed them.

const signal = listenForStop(process, {
  exit: (code) => process.exit(code),
  tell: (text) => process.stderr.write(text),
})

const manifest: unknown = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))

const exitCode = await runCommandLine(process.argv.slice(2), {
  streams: { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr },
  environment: Object.freeze({ ...process.env }),
  currentDirectory: process.cwd(),
  homeDirectory: process.env['HOME'] ?? homedir(),
  version: typeof manifest === 'object' && manifest && 'version' in manifest ? String(manifest.version) : 'unknown',
  signal,
})
// Whatever may still hold the process open, the command is done.
process.exit(exitCode)
