import type { ConfiguredAlerts } from '../../config/config-alerts.ts'
import { shellWord } from '../../core/text/shell-word.ts'
import type { Alerts } from '../alerts/alerts.ts'
import type { CatalogView } from '../objectives/facts.ts'
import { anomaliesOf } from './anomalies.ts'

/** Alerts about backups that are unlike those before. It ends with a backup that is as usual, or when this has become usual. */
export function watchAnomalies(catalog: CatalogView, alerts: Alerts, limits: ConfiguredAlerts['anomalies']): void {
  const names = catalog.databases().flatMap(({ name, gone }) => (gone ? [] : [name]))
  for (const name of names) {
    const backups = catalog.backups(name)
    const [newest, before] = backups
    const found = anomaliesOf(backups, limits)
    if (!newest || found.length === 0) {
      alerts.close('anomaly', name)
      continue
    }
    alerts.raise({
      kind: 'anomaly',
      severity: 'warning',
      subject: name,
      title: `the newest backup of ${name} is unlike those before`,
      text: `${found.join('; ')}.`,
      remedy: `see what changed: pgrevive diff ${before?.id ?? `latest:${shellWord(name)}`} ${newest.id}`,
    })
  }
  for (const { subject } of alerts.openOf('anomaly')) {
    if (!names.includes(subject)) alerts.close('anomaly', subject)
  }
}
