import type { Repository } from '../../shapes/repository.ts'
import type { Alerts } from '../alerts/alerts.ts'

/** Alerts about repositories that can not be reached. What a check finds in one is told by RunWatch. */
export function watchRepositories(repositories: readonly Repository[], alerts: Alerts): void {
  for (const { name, reachable, error, place } of repositories) {
    const open = alerts.open('repository', name)
    if (reachable === false && (!open || open.run === null)) {
      alerts.raise({
        kind: 'repository',
        severity: 'warning',
        subject: name,
        title: `the repository ${name} can not be reached`,
        text: error?.message ?? `nothing answers at ${place}`,
        remedy: error?.hint ?? 'look whether its disk is mounted, or its store answers',
      })
    }
    if (reachable === true && open?.run === null) alerts.close('repository', name)
  }
  for (const { subject } of alerts.openOf('repository')) {
    if (!repositories.some(({ name }) => name === subject)) alerts.close('repository', subject)
  }
}
