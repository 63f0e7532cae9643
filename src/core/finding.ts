/** What was looked at, what was found, and what follows from it. */
export interface Finding {
  readonly check: string
  /** A word or a few: `yes`, `no`, `unknown`, `15.18`. */
  readonly answer: string
  /** `note`: backups are safe, and somebody should know. */
  readonly verdict: 'good' | 'note' | 'bad'
  /** One line. */
  readonly meaning: string
  /** What mends it: a command where there is one, else words. */
  readonly remedy?: string | undefined
}
