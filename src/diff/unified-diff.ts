import { diff } from 'node:util'

const contextLines = 3
/** The search for the fewest changed lines takes time and memory by their square. */
const mostSearchedLines = 2000

interface Edit {
  readonly mark: ' ' | '-' | '+'
  readonly line: string
}

/** Two texts in diff's unified format without its first two lines; empty when they are the same. */
export function unifiedDiff(before: string, after: string): string[] {
  const edits = editsOf(linesOf(before), linesOf(after))
  const lines: string[] = []
  for (const { start, end } of hunks(edits)) {
    const [old, young] = [(edit: Edit) => edit.mark !== '+', (edit: Edit) => edit.mark !== '-']
    const [above, hunk] = [edits.slice(0, start), edits.slice(start, end)]
    const range = (counts: (edit: Edit) => boolean) => {
      const length = hunk.filter(counts).length
      return `${above.filter(counts).length + (length === 0 ? 0 : 1)},${length}`
    }
    lines.push(`@@ -${range(old)} +${range(young)} @@`, ...hunk.map(({ mark, line }) => mark + line))
  }
  return lines
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.split('\n')
}

function editsOf(before: readonly string[], after: readonly string[]): Edit[] {
  const shorter = Math.min(before.length, after.length)
  let head = 0
  while (head < shorter && before[head] === after[head]) head++
  let tail = 0
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++
  const same = (lines: readonly string[]) => lines.map((line): Edit => ({ mark: ' ', line }))
  return [
    ...same(before.slice(0, head)),
    ...changedLines(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...same(before.slice(before.length - tail)),
  ]
}

function changedLines(before: readonly string[], after: readonly string[]): Edit[] {
  if (before.length === 0 || after.length === 0 || before.length + after.length > mostSearchedLines) {
    return [...before.map((line): Edit => ({ mark: '-', line })), ...after.map((line): Edit => ({ mark: '+', line }))]
  }
  return diff(before, after).map(([side, line]) => ({ mark: side === 0 ? ' ' : side > 0 ? '-' : '+', line }))
}

/** Ranges of edits around what changed; those that touch are one. */
function hunks(edits: readonly Edit[]): { start: number; end: number }[] {
  const found: { start: number; end: number }[] = []
  for (const [index, { mark }] of edits.entries()) {
    if (mark === ' ') continue
    const [start, end] = [Math.max(0, index - contextLines), Math.min(edits.length, index + contextLines + 1)]
    const last = found.at(-1)
    if (last && start <= last.end) last.end = end
    else found.push({ start, end })
  }
  return found
}
