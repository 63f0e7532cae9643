import { z } from 'zod'
import { type Alert, alert as shape } from '../../shapes/alert.ts'

const fields = shape.shape
const delivery = fields.deliveries.element.shape

export const alertRow = z.object({
  id: fields.id,
  kind: fields.kind,
  severity: fields.severity,
  subject: fields.subject,
  title: fields.title,
  text: fields.text,
  remedy: fields.remedy,
  run: fields.run,
  opened_at: fields.openedAt,
  told_at: fields.toldAt,
  closed_at: fields.closedAt,
  acknowledged_by: fields.acknowledgedBy,
})
export type AlertRow = z.output<typeof alertRow>

export const deliveryRow = z.object({
  id: z.string(),
  alert: fields.id,
  channel: delivery.channel,
  notice: delivery.notice,
  severity: fields.severity,
  state: delivery.state,
  attempts: z.int(),
  not_before: delivery.at,
  at: delivery.at,
  error: delivery.error,
})
export type DeliveryRow = z.output<typeof deliveryRow>

export const alertColumns = Object.keys(alertRow.shape).join(', ')
export const deliveryColumns = Object.keys(deliveryRow.shape).join(', ')

export function toAlert(row: AlertRow, deliveries: readonly DeliveryRow[]): Alert {
  const { opened_at, told_at, closed_at, acknowledged_by, ...same } = row
  return {
    ...same,
    openedAt: opened_at,
    toldAt: told_at,
    closedAt: closed_at,
    acknowledgedBy: acknowledged_by,
    deliveries: deliveries.map(({ channel, notice, state, at, error }) => ({ channel, notice, state, at, error })),
  }
}
