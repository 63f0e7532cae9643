import { type Notice, cut, detailsOf, headlineOf, paragraphsOf } from './notice.ts'

/** https://core.telegram.org/bots/api#sendmessage */
export function telegramPayload(notice: Notice, chatId: string | number): object {
  const { kind, alert, link } = notice
  // at most 4096 characters are allowed, counted without the tags
  return {
    chat_id: chatId,
    text: [
      `<b>${escapeHtml(cut(headlineOf(notice), 500))}</b>`,
      escapeHtml(cut(paragraphsOf(notice).join('\n\n'), 2500)),
      `<i>${escapeHtml(cut(detailsOf(notice), 500))}</i>`,
      ...(link === undefined ? [] : [`<a href="${escapeHtml(link)}">Open</a>`]),
    ]
      .filter((line) => line !== '')
      .join('\n'),
    parse_mode: 'HTML',
    link_preview_options: { is_disabled: true },
    disable_notification: kind === 'closed' || alert.severity === 'info',
  }
}

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
