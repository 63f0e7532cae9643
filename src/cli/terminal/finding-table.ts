import type { Finding } from '../../core/finding.ts'
import { formatTable } from '../../core/text/format.ts'
import { printable, printableLines } from '../../core/text/printable.ts'
import type { Terminal } from './terminal.ts'

const marks = { good: 'ok', note: 'note', bad: 'BAD' } as const

/** A line for each finding, and below them what mends those that are not well; ending in a line break. */
export function findingTable(findings: readonly Finding[], terminal: Terminal): string {
  const { faint, good, warning, bad } = terminal.colors
  const styles: Record<string, (text: string) => string> = { ok: good, note: warning, BAD: bad }
  const rows = findings.map(({ check, answer, verdict, meaning }) => [marks[verdict], check, answer, meaning])
  const columns = [
    { title: '', style: (text: string) => styles[text.trim()]?.(text) ?? text },
    { title: 'check' },
    { title: 'answer' },
    { title: 'what follows' },
  ]
  const remedies = findings.flatMap(({ check, remedy }) =>
    remedy === undefined ? [] : [`  ${faint('to mend')} ${printable(check)}: ${printableLines(remedy, 4)}\n`],
  )
  return formatTable(columns, rows, { heading: faint, width: terminal.outputWidth }) + remedies.join('')
}

/** For `--json`: without the errors behind them. */
export function findingDocuments(findings: readonly Finding[]): Finding[] {
  return findings.map(({ check, answer, verdict, meaning, remedy }) => ({
    check,
    answer,
    verdict,
    meaning,
    ...(remedy !== undefined && { remedy }),
  }))
}
