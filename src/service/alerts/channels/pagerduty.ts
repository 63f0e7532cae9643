import { type Notice, cut, headlineOf } from './notice.ts'

/** https://developer.pagerduty.com/docs/send-alert-event: an incident an alert, which ends with it. */
export function pagerdutyPayload(notice: Notice, routingKey: string): object {
  const { kind, alert, link, service } = notice
  const key = { routing_key: routingKey, dedup_key: `pgrevive-${alert.id}` }
  if (kind === 'closed') return { ...key, event_action: 'resolve' }
  return {
    ...key,
    event_action: 'trigger',
    client: 'pgrevive',
    ...(link === undefined ? {} : { client_url: link, links: [{ href: link, text: 'Open in pgrevive' }] }),
    payload: {
      summary: cut(headlineOf(notice), 1024),
      source: cut(service, 255),
      severity: alert.severity,
      timestamp: alert.openedAt,
      component: cut(alert.subject, 255),
      class: alert.kind,
      custom_details: { text: alert.text, ...(alert.remedy === null ? {} : { remedy: alert.remedy }) },
    },
  }
}
