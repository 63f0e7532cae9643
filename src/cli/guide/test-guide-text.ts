/** One command of the guide, as a reader types it, and what it printed. */
export interface GuideCommand {
  readonly command: string
  /** What the guide shows below it; undefined where a reader does not see it. */
  readonly shown: string | undefined
  readonly exitCode: number
  /** Of the line with the command, from 1. */
  readonly line: number
}

/** A piece of the guide: text, or commands. Together they are the whole text again. */
export type GuidePart =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'commands'
      readonly before: string
      readonly commands: readonly GuideCommand[]
      readonly after: string
    }
  | {
      readonly kind: 'file'
      readonly before: string
      readonly name: string
      readonly content: string
      readonly after: string
    }

// ```console        commands behind "$ ", what they print between them; "console exit=4": the last one ends with that
// <!-- $ … -->      a command that readers do not see
// <!-- file: x -->  the block below is that file
const blocks =
  /^```console(?: exit=(?<exit>\d+))?\n(?<shown>[^]*?)^```\n|^<!--\n(?<hidden>\$ [^]*?)^-->\n|^<!-- file: (?<name>[\w./-]+) -->\n\n```\w+\n(?<content>[^]*?)^```\n/gm

/** Parses the guide. Every `console` block is commands with their output. */
export function parseGuide(markdown: string): GuidePart[] {
  const parts: GuidePart[] = []
  let end = 0
  for (const match of markdown.matchAll(blocks)) {
    const { exit, shown, hidden, name, content } = match.groups ?? {}
    const [whole] = match
    parts.push({ kind: 'text', text: markdown.slice(end, match.index) })
    end = match.index + whole.length
    const inner = shown ?? hidden ?? content ?? ''
    const at = whole.indexOf(inner, whole.indexOf('\n'))
    const before = whole.slice(0, at)
    const after = whole.slice(at + inner.length)
    const line = markdown.slice(0, match.index + at).split('\n').length
    if (name !== undefined) parts.push({ kind: 'file', before, name, content: inner, after })
    else {
      const commands = parseCommands(inner, { line, isShown: shown !== undefined, exitCode: Number(exit ?? 0) })
      parts.push({ kind: 'commands', before, commands, after })
    }
  }
  return [...parts, { kind: 'text', text: markdown.slice(end) }]
}

function parseCommands(
  text: string,
  { line, isShown, exitCode }: { line: number; isShown: boolean; exitCode: number },
): GuideCommand[] {
  const found: { command: string; output: string[]; line: number }[] = []
  for (const [index, row] of text.replace(/\n$/, '').split('\n').entries()) {
    const last = found.at(-1)
    if (row.startsWith('$ ')) found.push({ command: row.slice(2), output: [], line: line + index })
    else if (!last) throw new Error(`line ${line + index} of the guide: no command`)
    else if (row.startsWith('> ') && last.output.length === 0) last.command += `\n${row.slice(2)}`
    else last.output.push(row)
  }
  return found.map(({ command, output, line: at }, index) => ({
    command,
    shown: isShown ? output.map((row) => `${row}\n`).join('') : undefined,
    exitCode: index === found.length - 1 ? exitCode : 0,
    line: at,
  }))
}

/** The guide's text again. */
export function renderGuide(parts: readonly GuidePart[]): string {
  return parts
    .map((part) => {
      if (part.kind === 'text') return part.text
      if (part.kind === 'file') return part.before + part.content + part.after
      const commands = part.commands.map(
        ({ command, shown }) => `$ ${command.replaceAll('\n', '\n> ')}\n${shown ?? ''}`,
      )
      return part.before + commands.join('') + part.after
    })
    .join('')
}

/** What differs from run to run becomes the same: ids, times, durations, sizes, keys, and how wide columns are. */
export function withoutChance(output: string): string {
  return output
    .replaceAll(/01[0-9A-HJKMNP-TV-Z]{24}/g, 'ID')
    .replaceAll(/01[0-9a-hjkmnp-tv-z]{24}/g, 'id')
    .replaceAll(/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'UUID')
    .replaceAll(/\bage1[0-9a-z]+/g, 'AGE')
    .replaceAll(/\btx[0-9a-f]+(?:-\w+)+/g, 'REQUEST')
    .replaceAll(/20\d{6}_\d{6}\b/g, 'RUN')
    .replaceAll(/\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z| UTC)?/g, 'TIME')
    .replaceAll(/\b20\d\d-\d\d-\d\d\b/g, 'DATE')
    .replaceAll(/\b(?:just now|(?:\d+|a|an) (?:seconds?|minutes?|hours?|days?) ago)\b/g, 'AGO')
    .replaceAll(/\b\d[\d,]*(?:\.\d+)? (?:ms|s|min|h)\b(?: \d+ (?:s|min)\b)?/g, 'DURATION')
    .replaceAll(/\b\d[\d,]*(?:\.\d+)? (?:B|bytes|kB|MB|GB|TB)\b/g, 'SIZE')
    .replaceAll(/\b\d+(?:\.\d+)?(?: ?%|×)/g, 'SHARE')
    .replaceAll(/\b1[3-9]\.\d+(?:, 1[3-9]\.\d+)*(?: \([^)]*\))?/g, 'VERSION')
    .replaceAll(/[ \t]+/g, ' ')
    .replaceAll(/ ?\n ?/g, '\n')
    .trim()
}
