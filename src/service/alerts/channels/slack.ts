import { type Notice, cut, detailsOf, headlineOf, paragraphsOf } from './notice.ts'

const marks = { info: ':information_source:', warning: ':warning:', critical: ':rotating_light:' } as const

/** https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, .../reference/block-kit/blocks */
export function slackPayload(notice: Notice): object {
  const { kind, alert, link } = notice
  const mark = kind === 'closed' ? ':white_check_mark:' : marks[alert.severity]
  const headline = headlineOf(notice)
  const text = paragraphsOf(notice).join('\n\n')
  return {
    // what a notification shows; the blocks are what the channel shows
    text: cut(`${mark} ${escapeMarkup(headline)}`, 3000),
    blocks: [
      // names stand in plain text, which has no markup and mentions nobody
      { type: 'header', text: { type: 'plain_text', text: cut(headline, 150), emoji: false } },
      ...(text === '' ? [] : [{ type: 'section', text: { type: 'plain_text', text: cut(text, 3000), emoji: false } }]),
      {
        type: 'context',
        elements: [
          { type: 'mrkdwn', text: mark },
          { type: 'plain_text', text: cut(detailsOf(notice), 1000), emoji: false },
          ...(link === undefined ? [] : [{ type: 'mrkdwn', text: `<${escapeMarkup(link)}|Open>` }]),
        ],
      },
    ],
    unfurl_links: false,
    unfurl_media: false,
  }
}

/** https://docs.slack.dev/messaging/formatting-message-text#escaping */
function escapeMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
