import { once } from 'node:events'
import { resolve } from 'node:path'
import { z } from 'zod'
import { ApiServer } from '../../api/server.ts'
import { buildPages } from '../../api/built-pages.ts'
import type { ApiLog } from '../../api/api-log.ts'
import { AppError, messageOf } from '../../core/app-error.ts'
import { printable, printableLines } from '../../core/text/printable.ts'
import { redactPasswords } from '../../core/text/redact-passwords.ts'
import { parsePlace } from '../../config/config-service.ts'
import { text } from '../../config/value-types.ts'
import { Service, type ServiceLine } from '../../service/service.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import type { Terminal } from '../terminal/terminal.ts'

const serveOptions = z.strictObject({
  listen: text
    .transform((value, context) => {
      const place = parsePlace(value)
      if (place) return place
      context.addIssue('must be HOST:PORT, such as 127.0.0.1:8432')
      return z.NEVER
    })
    .optional(),
  state: text.optional(),
})
export type ServeOptions = z.output<typeof serveOptions>

async function serve({ state, listen }: ServeOptions, context: CommandContext): Promise<Outcome> {
  const { environment, homeDirectory, currentDirectory, terminal, signal } = context
  refuseOverruling(context)
  const named = context.globals.config ?? (environment['PGREVIVE_CONFIG'] || 'pgrevive.yaml')
  const tell = (line: ServiceLine) => printLine(line, terminal)
  const service = await Service.open({
    configFile: resolve(currentDirectory, named),
    environment,
    homeDirectory,
    stateDirectory: state === undefined ? undefined : resolve(currentDirectory, state),
    tell,
  })
  await using _ = service
  await buildPages({ tell: (message) => tell({ level: 'info', event: 'service', message }) })
  await using api = await ApiServer.open({ service, listen, log: apiLog(tell, terminal) })
  service.start()
  tell({ level: 'info', event: 'service', message: `serving ${service.configFile}`, state: service.state.directory })
  tell({ level: 'info', event: 'service', message: `open ${api.places.url} in a browser`, url: api.places.url })
  const link = api.setupLink()
  if (link !== undefined) printSetupLink(link, terminal)
  if (!signal.aborted) await once(signal, 'abort')
  tell({ level: 'info', event: 'service', message: 'stopping: runs at work get some time to end' })
  return { document: { stopped: true }, text: '' }
}

/** What would stand before pgrevive.yaml would do so for none of the runs. */
function refuseOverruling({ globals }: CommandContext): void {
  const { repo, keyFile, asOf, limitUpload, limitDownload } = globals
  const given = [...repo, ...keyFile, asOf, limitUpload, limitDownload].some((value) => value !== undefined)
  if (!given) return
  throw new AppError('usage-invalid', 'serve takes repositories, keys and limits from pgrevive.yaml alone', {
    hint: 'write them there: "repositories:", "key_file:", "limit_upload:"; --config names the file',
  })
}

/** It is as good as a password: it is printed, and no log line, which may be kept and sent on. */
function printSetupLink(link: string, terminal: Terminal): void {
  const { strong } = terminal.errorColors
  terminal.printError(
    `\nNobody has an account yet. This link makes the first one; it works once, until the next start, and for a day:\n\n    ${strong(link)}\n\n`,
  )
}

/** At a terminal only what changes something, or fails, is told. */
function apiLog(tell: (line: ServiceLine) => void, { json }: Terminal): ApiLog {
  return {
    request: ({ method, path, status, tookMs, address, by }) => {
      if (!json && method === 'GET' && status < 500) return
      const level = status >= 500 ? 'error' : 'info'
      const message = printable(`${method} ${path} ${status}`)
      tell({
        level,
        event: 'request',
        message,
        method,
        path,
        status,
        tookMs,
        address,
        ...(by === undefined ? {} : { by }),
      })
    },
    warning: (message) => tell({ level: 'warning', event: 'api', message }),
    bug: ({ id, error }) => {
      const stack = error instanceof Error ? error.stack : undefined
      tell({ level: 'error', event: 'api', message: `unexpected (${id}): ${messageOf(error)}`, id, stack })
    },
  }
}

/** With --json a document for each line, else what a person reads. */
function printLine({ level, event, message, ...facts }: ServiceLine, terminal: Terminal): void {
  const at = new Date().toISOString()
  const shown = redactPasswords(message)
  if (terminal.json) return terminal.printError(`${JSON.stringify({ at, level, event, message: shown, ...facts })}\n`)
  const { warning, bad, faint } = terminal.errorColors
  const sign = level === 'error' ? bad('error ') : level === 'warning' ? warning('warning ') : ''
  terminal.printError(`${faint(at)} ${sign}${printableLines(shown, 2)}\n`)
}

export const serveCommand = defineCommand({
  name: 'serve',
  summary: 'run schedules, and show everything in a browser',
  description:
    'Runs until it is stopped: does what "schedules:" of pgrevive.yaml says, watches what is demanded of backups, tells whom "alerts:" names, and serves the API and the dashboard. Each run is a process of its own, as if it had been typed; one that is killed with the service is begun again at the next start. Changes of pgrevive.yaml count at once. Without the file it starts all the same: the dashboard makes one. SIGTERM ends it; what is at work then gets the time of "stop_within:".',
  arguments: [],
  options: [
    { flags: '--listen <HOST:PORT>', help: 'in place of "listen:" of "service:" (default: 127.0.0.1:8432)' },
    { flags: '--state <DIR>', help: 'in place of "state:" (default: ~/.local/state/pgrevive/service)' },
  ],
  examples: [
    { command: 'pgrevive serve', meaning: 'with ./pgrevive.yaml, or without one; it says where to look' },
    { command: 'pgrevive serve --config /etc/pgrevive/pgrevive.yaml --json', meaning: 'with a log of JSON lines' },
  ],
  schema: serveOptions,
  run: serve,
})
