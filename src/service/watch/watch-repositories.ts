import { formatQuantity } from '../../core/text/format.ts'
import type { Repository } from '../../shapes/repository.ts'
import type { Alerts } from '../alerts/alerts.ts'

const shownNames = 5

/**
 * Alerts about repositories that can not be reached. What a check finds in one is told by RunWatch. `strandedBy`: the
 * databases that can be restored from nowhere then.
 */
export function watchRepositories(
  repositories: readonly Repository[],
  alerts: Alerts,
  strandedBy: (repository: string) => readonly string[],
): void {
  for (const { name, reachable, error, place } of repositories) {
    const open = alerts.open('repository', name)
    if (reachable === false && (!open || open.run === null)) {
      const stranded = strandedBy(name)
      const why = error?.message ?? `nothing answers at ${place}`
      alerts.raise({
        kind: 'repository',
        severity: stranded.length > 0 ? 'critical' : 'warning',
        subject: name,
        title: `the repository ${name} can not be reached`,
        text: stranded.length > 0 ? `${why}; ${listNames(stranded)} can be restored from nowhere else` : why,
        remedy: error?.hint ?? 'look whether its disk is mounted, or its store answers',
      })
    }
    if (reachable === true && open?.run === null) alerts.close('repository', name)
  }
  for (const { subject } of alerts.openOf('repository')) {
    if (!repositories.some(({ name }) => name === subject)) alerts.close('repository', subject)
  }
}

function listNames(names: readonly string[]): string {
  const others = names.length - shownNames
  return `${names.slice(0, shownNames).join(', ')}${others > 0 ? ` and ${formatQuantity(others, 'other')}` : ''}`
}
