import { isContainerUrl, parseContainerUrl } from '../../containers/container-reference.ts'
import { hasCode } from '../../core/app-error.ts'
import { parseConninfo } from '../../postgres/target/conninfo.ts'

/** `user@host:port/database`, as far as a connection string says it, without secrets; null for one that can not be read. */
export function sourceOf(conninfo: string): string | null {
  try {
    if (isContainerUrl(conninfo)) {
      const { in: place, database } = parseContainerUrl(conninfo)
      const where = place.kind === 'container' ? place.name : `${place.project}/${place.service}`
      return `${where}/${database ?? ''}`
    }
    const settings = parseConninfo(conninfo)
    const user = settings.get('user')
    const host = settings.get('host') ?? settings.get('hostaddr') ?? settings.get('service')
    const port = settings.get('port')
    return [
      user === undefined ? '' : `${user}@`,
      host ?? '',
      port === undefined ? '' : `:${port}`,
      `/${settings.get('dbname') ?? ''}`,
    ].join('')
  } catch (error) {
    if (!hasCode(error, 'connection-invalid')) throw error
    return null
  }
}
