import { ulid } from 'ulid'
import { AppError, errorCodes } from '../core/app-error.ts'
import { becomeSoleRun } from '../core/sole-run.ts'
import type { Environment } from '../postgres/target/connection-target.ts'
import type { CommandContext } from './command-context.ts'
import type { Outcome } from './define-command.ts'
import { errorText } from './terminal/error-text.ts'
import { ProgressDisplay } from './terminal/progress.ts'
import { type Invocation, parseCommandLine } from './program.ts'
import { runCommand } from './run-command.ts'
import { untilAborted } from '../core/until-aborted.ts'
import type { ServiceChannel } from './service-channel.ts'
import { withEnvironmentFile } from './settings/environment-file.ts'
import { type Settings, loadSettings } from './settings/settings.ts'
import { RunLog, shownWords } from './run-log.ts'
import { printable } from '../core/text/printable.ts'
import { Terminal, type TerminalStreams } from './terminal/terminal.ts'

export interface Surroundings {
  readonly streams: TerminalStreams
  readonly environment: Environment
  /** For libraries that read the process themselves, such as the AWS SDK. */
  readonly setVariables: (variables: Environment) => void
  readonly currentDirectory: string
  readonly homeDirectory: string
  readonly version: string
  /** Its reason becomes the error of the command that it stops. */
  readonly signal: AbortSignal
  /** What began this process, if it was a service. */
  readonly service?: ServiceChannel | undefined
}

/** Runs what the arguments (without node and script) ask for, to the exit code. */
export async function runCommandLine(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { signal, version, service } = surroundings
  const terminal = createTerminal(args, surroundings)
  if (service) terminal.recordInto((text, level) => service.log(text, level))
  const command = async () => {
    const invocation = await parseCommandLine(args, { terminal, version })
    if (service) await untilAborted(service.mayBegin, signal)
    return runInvocation(invocation, args, terminal, surroundings)
  }
  const exitCode = await runCommand(command, { terminal, signal })
  terminal.record(`exit code ${exitCode}`)
  await Promise.all([terminal.flush(), service?.flush()])
  if (terminal.lostOutput === undefined) return exitCode
  const lost = new AppError('output-failed', 'stdout can not be written', {
    cause: terminal.lostOutput,
    hint: 'what the command did is done; only what it told of it is lost',
  })
  terminal.printError(errorText(lost, terminal.errorColors))
  return exitCode || errorCodes[lost.code].exit
}

// How to say something must be known before, and even if, the arguments can not be parsed.
function createTerminal(args: readonly string[], { streams, environment, service }: Surroundings): Terminal {
  const end = args.indexOf('--')
  const options = end === -1 ? args : args.slice(0, end)
  return new Terminal(streams, {
    json: options.includes('--json'),
    quiet: options.includes('--quiet'),
    verbose: options.includes('--verbose'),
    colorRefused: options.includes('--no-color'),
    isHeard: service !== undefined,
    environment,
  })
}

async function runInvocation(
  { globals, asked, run }: Invocation,
  args: readonly string[],
  terminal: Terminal,
  { environment: inherited, setVariables, currentDirectory, homeDirectory, signal, version, service }: Surroundings,
): Promise<Outcome> {
  using progress = new ProgressDisplay(terminal)
  await using resources = new AsyncDisposableStack()
  const environment = await withEnvironmentFile(globals.environmentFile, { inherited, currentDirectory, setVariables })
  const source = { environment, currentDirectory, homeDirectory }
  let settings: Promise<Settings> | undefined
  let phase = ''
  const context: CommandContext = {
    ...source,
    terminal,
    resources,
    signal,
    run: service?.run ?? ulid(),
    onProgress: (event) => {
      progress.report(event)
      service?.progress(event)
      if (event.phase !== phase) terminal.record(event.phase)
      phase = event.phase
    },
    globals,
    settings: () => (settings ??= loadSettings(globals, source)),
  }
  const server = globals.server ?? (environment['PGREVIVE_SERVER'] || undefined)
  if (asked && server !== undefined && !service) {
    const { runRemotely } = await import('./remote/run-remotely.ts')
    const outcome = await runRemotely(asked, { server, environment, terminal, signal, onProgress: context.onProgress })
    progress.finish()
    return outcome
  }
  if (asked?.command.keepsLog) {
    await keepLog(context)
    terminal.record(`${version}: ${shownWords(args)}`)
  }
  await using _ = asked && !globals.overlap ? await refuseOverlap(asked, context) : undefined
  const outcome = await run(context)
  progress.finish()
  return outcome
}

async function keepLog({ terminal, run, settings }: CommandContext): Promise<void> {
  const { logDirectory, config } = await settings()
  if (logDirectory === undefined) return
  // where nobody asked for it, a home that can not be written to is no reason to complain each time: doctor tells
  const onFailure = config?.log === undefined ? () => undefined : (text: string) => terminal.warn(printable(text))
  const log = new RunLog(logDirectory, run, onFailure)
  terminal.recordInto((text, level) => log.write(level === 'warning' ? `warning: ${text}` : text))
}

/** Throws `run-overlaps` while the same command works with the same options on the same repositories. */
async function refuseOverlap({ command, raw }: NonNullable<Invocation['asked']>, context: CommandContext) {
  const { config, repositories } = await context.settings()
  const places = repositories.map(({ place }) => place)
  const sole = await becomeSoleRun(JSON.stringify([command.name, raw, config?.file, places]))
  if (sole) return sole
  throw new AppError('run-overlaps', `"pgrevive ${command.name}" runs already, with the same options`, {
    hint: 'nothing was done; the run that is under way goes on',
  })
}
