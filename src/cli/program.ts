import { Argument, CommanderError, Command as CommanderCommand, Option } from 'commander'
import { AppError } from '../core/app-error.ts'
import type { CommandContext } from './command-context.ts'
import { commandGroups, loadCommands } from './commands.ts'
import type { Command, CommandOption, Outcome } from './define-command.ts'
import { type GlobalOptions, environmentVariables, globalOptions, globalOptionWords } from './global-options.ts'
import { longFlag, parseOptions } from './parse-options.ts'
import type { Terminal } from './terminal/terminal.ts'

/** A command line that was understood. */
export interface Invocation {
  readonly globals: GlobalOptions
  /** The command and what it was given; undefined for help and version. */
  readonly asked: { readonly command: Command; readonly raw: Readonly<Record<string, unknown>> } | undefined
  readonly run: (context: CommandContext) => Promise<Outcome>
}

/** Throws `usage-invalid`, with a suggestion where a word is nearly right. Help and version are outcomes too. */
export async function parseCommandLine(
  args: readonly string[],
  { terminal, version }: { terminal: Terminal; version: string },
): Promise<Invocation> {
  const parsed: { invocation?: { command: Command; raw: Record<string, unknown> }; shown: string } = { shown: '' }
  const program = createProgram({
    commands: await loadCommands(commandWord(args)),
    terminal,
    version,
    show: (text) => (parsed.shown += text),
    accept: (command, raw) => (parsed.invocation = { command, raw }),
  })
  try {
    program.parse(args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError) || error.exitCode !== 0) throw error
  }
  const globals = parseOptions(globalOptions, withoutKeys(program.opts(), ['version']), { options: globalOptionWords })
  const { invocation, shown } = parsed
  if (invocation) return { globals, asked: invocation, run: invocation.command.prepare(invocation.raw) }
  return { globals, asked: undefined, run: async () => ({ document: { text: shown }, text: shown }) }
}

const wordsWithValue = new Set(
  globalOptionWords.filter(({ flags }) => flags.includes('<')).map(({ flags }) => longFlag(flags)),
)

/** The first word that is neither a global option nor its value; undefined if help is asked for before it. */
function commandWord(args: readonly string[]): string | undefined {
  for (let index = 0; index < args.length; index++) {
    const word = args[index] ?? ''
    if (word === '-h' || word === '--help') return undefined
    if (!word.startsWith('-')) return word
    if (wordsWithValue.has(word)) index++
  }
  return undefined
}

interface ProgramOptions {
  readonly commands: readonly Command[]
  readonly terminal: Terminal
  readonly version: string
  readonly show: (text: string) => void
  readonly accept: (command: Command, raw: Record<string, unknown>) => void
}

function createProgram({ commands, terminal, version, show, accept }: ProgramOptions): CommanderCommand {
  const program = new CommanderCommand('pgrevive')
    .description('Backs up PostgreSQL, restores it, and proves that what came back equals what was backed up.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .configureOutput({ writeOut: show, writeErr: () => undefined, getOutHasColors: () => true })
    .configureHelp({ showGlobalOptions: true, styleTitle: terminal.colors.strong })
    .addHelpText('after', () => `\n${terminal.colors.strong('Environment:')}\n${environmentHelp()}`)
  for (const option of globalOptionWords) program.addOption(commanderOption(option))
  refuseReadably(program, 'pgrevive --help')
  for (const command of commands) {
    const [first = '', second] = command.name.split(' ')
    const parent = second === undefined ? program : findGroup(first, program)
    parent.addCommand(createSubcommand(command, program, terminal, accept))
  }
  return program
}

/** A command that has others, or words that do nothing by themselves. */
function findGroup(name: string, program: CommanderCommand): CommanderCommand {
  const known = program.commands.find((command) => command.name() === name)
  if (known) return known
  const group = new CommanderCommand(name)
    .copyInheritedSettings(program)
    .helpCommand(false)
    .summary(commandGroups[name] ?? '')
    .description(commandGroups[name] ?? '')
  refuseReadably(group, `pgrevive ${name} --help`)
  program.addCommand(group)
  return group
}

function createSubcommand(
  command: Command,
  program: CommanderCommand,
  terminal: Terminal,
  accept: ProgramOptions['accept'],
): CommanderCommand {
  const subcommand = new CommanderCommand(command.name.split(' ').at(-1))
    .copyInheritedSettings(program)
    .helpCommand(false)
    .summary(command.summary)
    .description(command.description)
    .addHelpText('after', () => `\n${terminal.colors.strong('Examples:')}\n${examplesHelp(command, terminal)}`)
  for (const { name, presence, help } of command.arguments) {
    const shape = presence === 'required' ? `<${name}>` : presence === 'optional' ? `[${name}]` : `[${name}...]`
    subcommand.addArgument(new Argument(shape, help))
  }
  for (const option of command.options) subcommand.addOption(commanderOption(option))
  refuseReadably(subcommand, `pgrevive ${command.name} --help`)
  return subcommand.action(() => {
    const values: unknown[] = subcommand.processedArgs
    const named = command.arguments.flatMap(({ key }, index) =>
      values[index] === undefined ? [] : [[key, values[index]] as const],
    )
    accept(command, { ...subcommand.opts(), ...Object.fromEntries(named) })
  })
}

function commanderOption({ flags, help, repeatable }: CommandOption): Option {
  const option = new Option(flags, help)
  return repeatable === true
    ? option.argParser((value: string, previous: readonly string[] | undefined) => [...(previous ?? []), value])
    : option
}

/** Commander's own errors as ours, each with the help that fits the command that was meant. */
function refuseReadably(command: CommanderCommand, help: string): void {
  command.exitOverride((error) => {
    if (error.exitCode === 0) throw error
    if (error.code === 'commander.help') {
      throw new AppError('usage-invalid', 'no command is given', { hint: `"${help}" lists the commands` })
    }
    const [, message = error.message, suggestion] = /^(?:error: )?([^]*?)(?:\n\((.*)\))?$/.exec(error.message) ?? []
    throw new AppError('usage-invalid', message.replaceAll("'", '"').replace(/\.$/, ''), {
      hint: `${suggestion === undefined ? '' : `${suggestion.replaceAll(/^Did/g, 'did')} `}"${help}" explains every option`,
    })
  })
}

function examplesHelp(command: Command, terminal: Terminal): string {
  return command.examples
    .map((example) => `  ${terminal.colors.faint(`# ${example.meaning}`)}\n  ${example.command}\n`)
    .join('\n')
}

function environmentHelp(): string {
  return environmentVariables.map(({ name, meaning }) => `  ${name}\n      ${meaning}\n`).join('')
}

function withoutKeys(values: Record<string, unknown>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([key]) => !keys.includes(key)))
}
