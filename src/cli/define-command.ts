import type { z } from 'zod'
import { AppError } from '../core/app-error.ts'
import type { CommandContext } from './command-context.ts'
import { runOnEach } from './repositories/each-repository.ts'
import { parseOptions } from './parse-options.ts'

export interface CommandArgument {
  /** The key of the parsed options that holds it. */
  readonly key: string
  /** As the help shows it: `BACKUP`. */
  readonly name: string
  readonly presence: 'required' | 'optional' | 'any number'
  readonly help: string
}

export interface CommandOption {
  /** `--limit <N>`, `--all`, `--no-owner`; the key is its name in camelCase, without `no-`. */
  readonly flags: string
  readonly help: string
  /** May be given several times; the key then holds all values. */
  readonly repeatable?: boolean
}

export interface CommandExample {
  readonly command: string
  readonly meaning: string
}

/** What a command has to say at its end. */
export interface Outcome {
  /** For `--json`: printed as it is; dates become ISO 8601 and bigints decimal strings. */
  readonly document: Readonly<Record<string, unknown>>
  /** For people: printable, ending in a line break; or empty. */
  readonly text: string
  /** The work was done and its result is bad: refuted, damaged. Shown after the text, decides the exit code. */
  readonly failure?: AppError
  /** Of a success that scripts shall tell from others; 0 unless it is named. */
  readonly exitCode?: number
}

/** Of what compares and finds a difference, as diff(1) tells, though not by 1, which is the code of a bug. */
export const differentExitCode = 9

interface CommandWords {
  /** One word, or two: the second is then a command of the first, or of the group that it names. */
  readonly name: string
  /** A few words, lower case, for the list of commands. */
  readonly summary: string
  /** Sentences for the command's own help. */
  readonly description: string
  readonly arguments: readonly CommandArgument[]
  readonly options: readonly CommandOption[]
  readonly examples: readonly CommandExample[]
}

/** A command as the frame sees it: `prepare` parses, and the function that it returns does the work. */
export interface Command extends CommandWords {
  /** What it does is kept in a log of the run. */
  readonly keepsLog: boolean
  /** Throws `usage-invalid` for what the command's schema refuses. */
  prepare(raw: Readonly<Record<string, unknown>>): (context: CommandContext) => Promise<Outcome>
}

/** Without --as-of: what was can not be changed. */
function inPresent(context: CommandContext, name: string): CommandContext {
  const settings = async () => {
    const loaded = await context.settings()
    if (loaded.asOf === undefined) return loaded
    throw new AppError('usage-invalid', `${name} writes into the repository, which --as-of only reads`, {
      hint: 'list, show, restore, export and diff take --as-of',
    })
  }
  return { ...context, settings }
}

/** Ties a command's words to its schema and its action: the only place where raw options become typed ones. */
export function defineCommand<Schema extends z.ZodType>(
  definition: CommandWords & {
    readonly schema: Schema
    /** Works on one repository; where several are named, on each, one after the other. */
    readonly onEach?: true
    /** Writes nothing into a repository, so that it can also be read as it was. */
    readonly readsOnly?: true
    /** Somebody may ask later what it did. */
    readonly keepsLog?: true
    readonly run: (options: z.output<Schema>, context: CommandContext) => Promise<Outcome>
  },
): Command {
  const { schema, onEach, readsOnly, keepsLog = false, run, ...words } = definition
  return {
    ...words,
    keepsLog,
    prepare: (raw) => {
      const options = parseOptions(schema, raw, words)
      const runOnce = (context: CommandContext) => run(options, readsOnly ? context : inPresent(context, words.name))
      return onEach ? (context) => runOnEach(runOnce, context) : runOnce
    },
  }
}
