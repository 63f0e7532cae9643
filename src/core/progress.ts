/**
 * What an engine says of its work while it runs. Phases follow one another: an event of another phase ends the one
 * before. `done` never falls within a phase; `total` may be unknown and may grow. An engine may report as often as it
 * likes, whoever shows it decides how often to draw.
 */
export interface ProgressEvent {
  /** One or two words: "data", "indexes". */
  readonly phase: string
  readonly done?: number
  readonly total?: number
  readonly unit: 'bytes' | 'rows' | 'items'
  /** What is at work now, as the database names it; unescaped. */
  readonly detail?: string
}

export type OnProgress = (event: ProgressEvent) => void
