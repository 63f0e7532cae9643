import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { keyFolder } from '../repositories/repository-access.ts'
import type { CommandContext } from '../command-context.ts'
import { isMeaningful, shownVariable } from '../terminal/shown-value.ts'

/** What a scheduler must know to run pgrevive as it runs here. */
export interface AbsoluteCommand {
  /** Node, pgrevive, and the options of every command. */
  readonly words: readonly string[]
  readonly directory: string
  /** That are no secrets. */
  readonly variables: ReadonlyMap<string, string>
  /** Names of variables whose values may be secrets: they are needed, and not printed. */
  readonly secrets: readonly string[]
}

const program = fileURLToPath(new URL('../../../bin/pgrevive.js', import.meta.url))
/** Stand as options on the command line, or are nothing for a schedule. */
const notHandedOn =
  /^(PGREVIVE_(REPO|KEY_FILE|CONFIG|LIMIT_UPLOAD|LIMIT_DOWNLOAD|(NEW|DUMP)_PASSPHRASE(_FILE)?)|NO_COLOR|FORCE_COLOR|SSH_AUTH_SOCK)$/
const folders = ['XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_STATE_HOME', 'XDG_CACHE_HOME']

export async function absoluteCommand(context: CommandContext): Promise<AbsoluteCommand> {
  const { environment, currentDirectory } = context
  const { config, given, repositories, keyFiles, limits, environmentFile } = await context.settings()
  const option = (name: string, value: string | undefined) => (value === undefined ? [] : [name, value])
  const words = [
    process.execPath,
    program,
    ...option('--config', config?.file),
    ...(given.repositories === undefined ? [] : repositories.flatMap(({ name }) => ['--repo', name])),
    ...keyFiles.flatMap((path) => ['--key-file', path]),
    ...option('--limit-upload', given.limitUpload && String(limits.upload?.bytesPerSecond)),
    ...option('--limit-download', given.limitDownload && String(limits.download?.bytesPerSecond)),
    ...option('--environment-file', environmentFile),
    '--no-overlap',
    '--quiet',
  ]
  const variables = new Map([['PATH', environment['PATH'] ?? '']])
  const secrets = new Set(await namesInConfig(config?.file))
  for (const { password } of config?.databases.values() ?? []) {
    if (password?.kind === 'variable') secrets.add(password.name)
  }
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || value === '' || notHandedOn.test(name)) continue
    if (folders.includes(name)) variables.set(name, value)
    else if (isMeaningful(name)) {
      if ((await shownVariable(name, value)) === value) variables.set(name, value)
      else secrets.add(name)
    }
  }
  return { words, directory: currentDirectory, variables, secrets: [...secrets] }
}

/** `${NAME}` in places and URLs. */
async function namesInConfig(file: string | undefined): Promise<string[]> {
  const text = file === undefined ? '' : await readFile(file, 'utf8')
  return Array.from(text.matchAll(/\$\{(\w+)\}/g), ([, name = '']) => name)
}

/** What somebody should know who pastes the schedule, in lines. */
export function describeSurroundings(
  { secrets, words }: AbsoluteCommand,
  environmentFile: string | undefined,
  context: CommandContext,
): string[] {
  const lines = [
    `keys are looked for in ${keyFolder(context)} unless --key-file names them; a passphrase must come from a file or the environment`,
    'exit code 0: done; 14: the same run was under way; 11, 7, 8: look; others: "pgrevive errors"',
  ]
  if (secrets.length > 0) {
    lines.push(
      environmentFile === undefined
        ? `needed besides, and not printed: ${secrets.join(', ')}; write NAME=value lines into a file of mode 0600 and print this again with --environment-file FILE`
        : `${environmentFile} must set ${secrets.join(', ')}, as NAME=value lines, with mode 0600`,
    )
  }
  if (words.some((word) => word.includes('/_npx/'))) {
    lines.push(
      'this pgrevive lies in a cache of npx that may be emptied: install it with "npm install -g pgrevive" first',
    )
  }
  return lines
}
