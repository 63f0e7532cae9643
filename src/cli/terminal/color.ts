import { styleText } from 'node:util'
import type { Environment } from '../../postgres/target/connection-target.ts'

type Style = (text: string) => string

/** The few colours in use, by meaning. */
export interface Palette {
  readonly strong: Style
  readonly faint: Style
  readonly good: Style
  readonly bad: Style
  readonly warning: Style
}

export function createPalette(options: { colored: boolean }): Palette {
  const style = (format: 'bold' | 'dim' | 'green' | 'red' | 'yellow'): Style =>
    options.colored ? (text) => styleText(format, text, { validateStream: false }) : (text) => text
  return {
    strong: style('bold'),
    faint: style('dim'),
    good: style('green'),
    bad: style('red'),
    warning: style('yellow'),
  }
}

/** `--no-color`, then NO_COLOR (https://no-color.org), then FORCE_COLOR, then whether the stream is a terminal. */
export function wantsColor(options: { refused: boolean; terminal: boolean; environment: Environment }): boolean {
  const { NO_COLOR: no, FORCE_COLOR: force, TERM: term } = options.environment
  if (options.refused || (no !== undefined && no !== '')) return false
  if (force !== undefined && force !== '') return force !== '0' && force !== 'false'
  return options.terminal && term !== 'dumb'
}
