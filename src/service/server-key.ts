import type { ReachedDatabase } from '../config/config-refreshes.ts'
import { isContainerUrl, parseContainerUrl } from '../containers/container-reference.ts'
import { hasCode } from '../core/app-error.ts'
import type { Environment } from '../postgres/target/connection-target.ts'
import { parseConninfo } from '../postgres/target/conninfo.ts'

/**
 * Which server a database is on, as far as its connection string tells without asking anybody: `db.internal:5432`. Two
 * names of one server are two servers. A text that is no connection string fails when it is used, and not here.
 */
export function serverKey({ conninfo, tunnel }: ReachedDatabase, environment: Environment): string {
  const through = tunnel ? ` through ${tunnel.host}:${tunnel.port}` : ''
  try {
    return `${isContainerUrl(conninfo) ? containerKey(conninfo) : hostKey(conninfo, environment)}${through}`
  } catch (error) {
    if (!hasCode(error, 'connection-invalid')) throw error
    return 'unknown'
  }
}

function containerKey(url: string): string {
  const place = parseContainerUrl(url).in
  return place.kind === 'container' ? `container ${place.name}` : `container ${place.project}/${place.service}`
}

function hostKey(conninfo: string, environment: Environment): string {
  const settings = parseConninfo(conninfo)
  const service = settings.get('service')
  if (service !== undefined && !settings.has('host')) return `service ${service}`
  const host = settings.get('host') ?? settings.get('hostaddr') ?? environment['PGHOST'] ?? 'local'
  return `${host}:${settings.get('port') ?? environment['PGPORT'] ?? '5432'}`
}
