import { homedir } from 'node:os'
import { toolVersion } from '../core/tool-version.ts'
import { runCommandLine } from './command-line.ts'
import { openServiceChannel } from './service-channel.ts'
import { listenForStop } from './stop-signals.ts'

// The only file that reads the process: arguments, variables, streams, signals and the channel to a service. Everything
// else is handed them.

const signal = listenForStop(process, {
  exit: (code) => process.exit(code),
  // whoever asked for JSON reads lines of it
  tell: (text) => void (process.argv.includes('--json') || process.stderr.write(text)),
})
const service = openServiceChannel(process)

const exitCode = await runCommandLine(process.argv.slice(2), {
  streams: { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr },
  environment: Object.freeze({ ...process.env }),
  setVariables: (variables) => Object.assign(process.env, variables),
  currentDirectory: process.cwd(),
  homeDirectory: process.env['HOME'] ?? homedir(),
  version: toolVersion,
  signal,
  service,
})
// Whatever may still hold the process open, the command is done.
process.exit(exitCode)
