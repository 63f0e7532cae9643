import { type Change, type ValueDiff, isDifferent } from '../../diff/value-diff.ts'
import type { Digest } from '../../diff/diff-contents.ts'
import type { Diff } from '../../diff/diff-states.ts'
import type { Palette } from '../terminal/color.ts'
import { formatBytes, formatCount, formatQuantity, formatTable } from '../../core/text/format.ts'
import { printable, printableLines } from '../../core/text/printable.ts'
import { redactPasswords } from '../../core/text/redact-passwords.ts'
import type { Terminal } from '../terminal/terminal.ts'

const marks = { added: '+', dropped: '-', changed: '~', equal: '=', unknown: '?' } as const satisfies Record<
  Change,
  string
>

/** The verdict, what differs in a table, the definitions that differ line by line, and the notes. */
export function describeDiff(diff: Diff, { colors, outputWidth }: Pick<Terminal, 'colors' | 'outputWidth'>): string {
  const rows = contentRows(diff)
  const columns = [
    { title: '', style: (text: string) => markStyle(text.trim(), colors)(text) },
    { title: 'what' },
    { title: 'A → B' },
    { title: 'size' },
  ]
  const blocks = [
    `${verdict(diff, colors)}\n`,
    rows.length === 0 ? '' : formatTable(columns, rows, { heading: colors.faint, width: outputWidth }),
    ...(diff.schema?.changes ?? []).map(
      ({ title, change, lines }) =>
        `${markStyle(marks[change], colors)(marks[change])}  ${colors.strong(printable(title))}\n` +
        lines
          // what is new or gone as a whole needs no line numbers
          .filter((line) => change === 'changed' || !line.startsWith('@@'))
          .map((line) => `   ${lineOfDiff(line, colors)}\n`)
          .join(''),
    ),
    diff.notes.map((note) => `${colors.warning('note')}: ${printable(note)}\n`).join(''),
  ]
  return blocks.filter((block) => block !== '').join('\n')
}

/** Definitions hold passwords of subscriptions and user mappings. */
export function withoutPasswords(diff: Diff): Diff {
  const changes = diff.schema?.changes.map((change) => ({ ...change, lines: change.lines.map(redactPasswords) }))
  return { ...diff, schema: diff.schema && changes ? { ...diff.schema, changes } : null }
}

function markStyle(mark: string, colors: Palette): (text: string) => string {
  return mark === '+' ? colors.good : mark === '-' ? colors.bad : colors.warning
}

function lineOfDiff(line: string, colors: Palette): string {
  const style = /^[-+]/.test(line) ? markStyle(line.charAt(0), colors) : line.startsWith('@') ? colors.faint : String
  return style(printableLines(line)).trimEnd()
}

function verdict(diff: Diff, colors: Palette): string {
  const { tables, sequences, largeObjects, extensions, properties, schema } = diff
  const compared = tables.filter(({ change }) => change !== 'unknown')
  const [before, after] = [totalsOf(compared, 'before'), totalsOf(compared, 'after')]
  const contents = `${arrow(formatCount(before.rows), formatCount(after.rows))} rows, ${arrow(formatBytes(before.bytes), formatBytes(after.bytes))}`
  if (diff.equal) {
    const parts = [
      ...(compared.length === 0 ? [] : [formatQuantity(compared.length, 'table'), contents]),
      ...(sequences.length === 0 ? [] : [formatQuantity(sequences.length, 'sequence')]),
      ...(largeObjects?.before?.count ? [formatQuantity(largeObjects.before.count, 'large object')] : []),
      ...(extensions.length === 0 ? [] : [formatQuantity(extensions.length, 'extension')]),
      ...(schema ? [formatQuantity(schema.entries, 'definition')] : []),
    ]
    return `${colors.good('equal')}: ${parts.join(', ')}`
  }
  const share = (items: readonly { readonly change: Change }[], singular: string, plural?: string) => {
    const different = items.filter(isDifferent).length
    return different === 0 ? [] : [`${formatCount(different)} of ${formatQuantity(items.length, singular, plural)}`]
  }
  const parts = [
    ...share(tables, 'table'),
    ...share(sequences, 'sequence'),
    ...(largeObjects && isDifferent(largeObjects) ? ['large objects'] : []),
    ...share(extensions, 'extension'),
    ...share(properties, 'property of the database', 'properties of the database'),
    ...(schema && schema.changes.length > 0
      ? [`${formatCount(schema.changes.length)} of ${formatQuantity(schema.entries, 'definition')}`]
      : []),
  ]
  return `${colors.warning('different')}: ${parts.join(', ')}${compared.length === 0 ? '' : `\n${contents}`}`
}

function totalsOf(tables: Diff['tables'], side: 'before' | 'after'): { rows: number; bytes: number } {
  const sum = (of: (digest: Digest) => number) =>
    tables.reduce((total, table) => total + (table[side] ? of(table[side]) : 0), 0)
  return { rows: sum(({ rows }) => rows), bytes: sum(({ bytes }) => bytes) }
}

function contentRows({ tables, sequences, largeObjects, extensions, properties }: Diff): string[][] {
  const row = <Value>(found: ValueDiff<Value>, what: string, value: (value: Value) => string, size = '') =>
    isDifferent(found) ? [[marks[found.change], what, values(found, value), size]] : []
  return [
    ...properties.flatMap((found) => row(found, inWords(found.name), (value) => value)),
    ...extensions.flatMap((found) =>
      row(found, `extension ${found.name}`, ({ version, schema }) => `${version} in ${schema}`),
    ),
    ...tables.flatMap((found) =>
      row(found, `table ${found.schema}.${found.name}`, ({ rows }) => formatQuantity(rows, 'row'), sizes(found)),
    ),
    ...sequences.flatMap((found) =>
      row(found, `sequence ${found.schema}.${found.name}`, ({ lastValue, isCalled }) =>
        isCalled ? lastValue : `${lastValue} (not called)`,
      ),
    ),
    ...(largeObjects ? row(largeObjects, 'large objects', ({ count }) => formatCount(count), sizes(largeObjects)) : []),
  ]
}

function values<Value>({ before, after }: ValueDiff<Value>, show: (value: Value) => string): string {
  if (before === null || after === null)
    return [before, after].map((value) => (value === null ? '' : show(value))).join('')
  const [was, is] = [show(before), show(after)]
  return was === is ? `${is}, other contents` : `${was} → ${is}`
}

function sizes({ before, after }: ValueDiff<Digest>): string {
  if (!before || !after) return before || after ? formatBytes((before ?? after)?.bytes ?? 0) : ''
  return arrow(formatBytes(before.bytes), formatBytes(after.bytes))
}

function arrow(before: string, after: string): string {
  return before === after ? after : `${before} → ${after}`
}

/** `connectionLimit` → `connection limit` */
function inWords(name: string): string {
  return name.includes(' ') ? name : name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}
