import { type Notice, cut, detailsOf, headlineOf, paragraphsOf } from './notice.ts'

const priorities = { info: 2, warning: 3, critical: 5 } as const
const tags = { info: 'information_source', warning: 'warning', critical: 'rotating_light' } as const

/** https://docs.ntfy.sh/publish/#publish-as-json; plain text, 4096 bytes at most */
export function ntfyPayload(notice: Notice, topic: string): object {
  const { kind, alert, link } = notice
  const message = [...paragraphsOf(notice), detailsOf(notice)].join('\n\n')
  return {
    topic,
    title: cut(headlineOf(notice), 250),
    message: cutBytes(message, 4000),
    priority: kind === 'closed' ? priorities.info : priorities[alert.severity],
    tags: [kind === 'closed' ? 'white_check_mark' : tags[alert.severity]],
    ...(link === undefined ? {} : { click: link }),
  }
}

function cutBytes(text: string, most: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= most) return text
  return `${bytes
    .subarray(0, most - 3)
    .toString()
    .replace(/�+$/, '')}…`
}
