import { type Notice, cut, detailsOf, headlineOf, paragraphsOf } from './notice.ts'

const colours = { info: 0x3b82f6, warning: 0xf59e0b, critical: 0xdc2626, closed: 0x16a34a } as const

/** https://docs.discord.com/developers/resources/webhook#execute-webhook, .../resources/message#embed-object */
export function discordPayload(notice: Notice): object {
  const { kind, alert, link, at } = notice
  return {
    username: 'pgrevive',
    // a name such as @everyone calls nobody
    allowed_mentions: { parse: [] },
    embeds: [
      {
        title: cut(escapeMarkdown(headlineOf(notice)), 256),
        description: cut(escapeMarkdown(paragraphsOf(notice).join('\n\n')), 4096),
        color: colours[kind === 'closed' ? 'closed' : alert.severity],
        ...(link === undefined ? {} : { url: link }),
        footer: { text: cut(detailsOf(notice), 2048) },
        timestamp: at.toISOString(),
      },
    ],
  }
}

function escapeMarkdown(text: string): string {
  return text.replaceAll(/[\\*_~`|>[\]()#<-]/g, '\\$&')
}
