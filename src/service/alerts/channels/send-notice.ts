import type { ChannelTarget } from '../../../config/config-channels.ts'
import type { Environment } from '../../../postgres/target/connection-target.ts'
import type { Reach } from '../../reach.ts'
import { discordPayload } from './discord.ts'
import { sendMail } from './email.ts'
import { sendHttp } from './http-sender.ts'
import { type HttpMessage, type Notice, jsonMessage } from './notice.ts'
import { ntfyPayload } from './ntfy.ts'
import { pagerdutyPayload } from './pagerduty.ts'
import { readText } from './secret-text.ts'
import { slackPayload } from './slack.ts'
import { telegramPayload } from './telegram.ts'
import { fillTemplate, signatureHeaders, webhookPayload } from './webhook.ts'

export interface SenderSurroundings {
  readonly reach: Reach
  readonly environment: Environment
}

/** Rejects with `channel-failed`, `address-refused` or, where a secret is not there, `config-invalid`. */
export async function sendNotice(
  notice: Notice,
  target: ChannelTarget,
  surroundings: SenderSurroundings,
): Promise<void> {
  const { reach, environment } = surroundings
  if (target.kind === 'email') {
    const { password } = target.smtp
    return sendMail(notice, target, { reach, password: password && (await readText(password, environment)) })
  }
  return sendHttp(await messageOf(notice, target, environment), reach)
}

async function messageOf(
  notice: Notice,
  target: Exclude<ChannelTarget, { readonly kind: 'email' }>,
  environment: Environment,
): Promise<HttpMessage> {
  switch (target.kind) {
    case 'slack':
    case 'discord': {
      const url = await readText(target.url, environment)
      const payload = target.kind === 'slack' ? slackPayload(notice) : discordPayload(notice)
      return jsonMessage(url, payload, { secrets: secretsOfUrl(url) })
    }
    case 'telegram': {
      const token = await readText(target.token, environment)
      const url = `${target.url.replace(/\/$/, '')}/bot${token}/sendMessage`
      return jsonMessage(url, telegramPayload(notice, target.chatId), { secrets: [token] })
    }
    case 'ntfy': {
      const token = target.token && (await readText(target.token, environment))
      const headers = token === undefined ? {} : bearer(token)
      return jsonMessage(target.url, ntfyPayload(notice, target.topic), {
        headers,
        secrets: token === undefined ? [] : [token],
      })
    }
    case 'pagerduty': {
      const routingKey = await readText(target.routingKey, environment)
      return jsonMessage(target.url, pagerdutyPayload(notice, routingKey), { secrets: [routingKey] })
    }
    case 'webhook': {
      const url = await readText(target.url, environment)
      const secret = target.secret && (await readText(target.secret, environment))
      const token = target.token && (await readText(target.token, environment))
      const secrets = [...secretsOfUrl(url), secret ?? '', token ?? '']
      const payload = target.template ? fillTemplate(target.template, notice) : webhookPayload(notice)
      const message = jsonMessage(url, payload, { headers: token === undefined ? {} : bearer(token), secrets })
      if (secret === undefined) return message
      return { ...message, headers: { ...message.headers, ...signatureHeaders(notice, message.body, secret) } }
    }
  }
}

function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` }
}

/** Whoever knows the path or the query of such a URL may send to it. */
function secretsOfUrl(url: string): string[] {
  const parsed = URL.parse(url)
  return parsed ? [url, parsed.pathname, parsed.search].filter((it) => it.length > 1) : [url]
}
