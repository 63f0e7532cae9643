import type { Reason } from '../../shapes/database.ts'
import type { Alerts } from '../alerts/alerts.ts'
import type { CatalogView } from '../objectives/facts.ts'
import type { Judgement } from '../objectives/judge.ts'

export interface ObjectiveWatchOptions {
  readonly catalog: Pick<CatalogView, 'databases' | 'backups'>
  readonly alerts: Alerts
  readonly judge: (database: string, now: Date) => Judgement
}

/** Somebody who has just added a database need not be told that it has no backup. */
const firstBackupMs = 3600 * 1000
const everyMs = 60_000

/** Alerts about objectives. That a run failed, or a repository is away, is told by those who watch these. */
export class ObjectiveWatch {
  readonly #options: ObjectiveWatchOptions
  readonly #seenSince = new Map<string, Date>()
  #looked: Date | undefined

  constructor(options: ObjectiveWatchOptions) {
    this.#options = options
  }

  /** Once a minute. */
  tick(now: Date): void {
    if (this.#looked && Math.abs(now.getTime() - this.#looked.getTime()) < everyMs) return
    this.look(now)
  }

  look(now: Date): void {
    this.#looked = now
    const { catalog, alerts } = this.#options
    const names = catalog.databases().flatMap(({ name, gone }) => (gone ? [] : [name]))
    for (const name of names) this.#lookAt(name, now)
    for (const { subject } of alerts.openOf('objective')) {
      if (!names.includes(subject)) alerts.close('objective', subject)
    }
  }

  #lookAt(database: string, now: Date): void {
    const { alerts, judge, catalog } = this.#options
    const since = this.#seenSince.get(database) ?? now
    this.#seenSince.set(database, since)
    const { state, reasons } = judge(database, now)
    if (state === 'unknown') return
    const [worst, ...others] = reasons.filter(isTold)
    const isYoung = Math.abs(now.getTime() - since.getTime()) < firstBackupMs
    const isNew = isYoung && catalog.backups(database).length === 0
    if (!worst) alerts.close('objective', database)
    if (!worst || isNew) return
    const isFailing = worst.state === 'failing'
    alerts.raise({
      kind: 'objective',
      severity: isFailing ? 'critical' : 'warning',
      subject: database,
      title: isFailing
        ? `${database} is not as safe as it should be`
        : `${database} will not be as safe as it should be`,
      text: [worst, ...others].map(({ text }) => sentence(text)).join(' '),
      remedy: worst.remedy,
    })
  }
}

/** A first proof that is still to come is no news. */
function isTold({ objective, state }: Reason): boolean {
  if (objective === 'runs' || objective === 'repositories') return false
  return state === 'failing' || objective === 'restore-within' || objective === 'rpo'
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
