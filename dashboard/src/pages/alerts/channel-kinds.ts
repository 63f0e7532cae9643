import type { Channel } from '../../../../src/shapes/alert.ts'

type Kind = Channel['kind']

export interface ChannelField {
  /** The key below the channel in pgrevive.yaml; "smtp.host" is host below smtp. A secret's lacks its "_file". */
  key: string
  label: string
  hint?: string
  type?: 'email' | 'url' | 'number'
  /** Kept in a file of its own, and never given out again; one `within` the entry is taken out of it by the service. */
  secret?: true | 'within'
  optional?: boolean
  /** Several, with commas between them. */
  many?: boolean
}

/** What each kind of channel asks for. */
export const channelFields: Record<Kind, ChannelField[]> = {
  email: [
    { key: 'to', label: 'To', many: true, hint: 'Several with commas between them.' },
    { key: 'from', label: 'From', type: 'email' },
    { key: 'smtp.host', label: 'SMTP server' },
    { key: 'smtp.port', label: 'Port', type: 'number', optional: true, hint: '587 unless it says something else.' },
    { key: 'smtp.user', label: 'User', optional: true },
    { key: 'smtp.password', label: 'Password', secret: true, optional: true },
  ],
  slack: [{ key: 'url', label: 'URL of the incoming webhook', type: 'url', secret: 'within' }],
  discord: [{ key: 'url', label: 'URL of the webhook', type: 'url', secret: 'within' }],
  telegram: [
    { key: 'token', label: 'Token of the bot', secret: true },
    { key: 'chat_id', label: 'Chat', hint: 'A number, or @channel.' },
  ],
  webhook: [
    { key: 'url', label: 'URL', type: 'url', secret: 'within' },
    { key: 'secret', label: 'Secret of the signature', secret: true, optional: true },
  ],
  ntfy: [
    { key: 'url', label: 'Server', type: 'url', optional: true, hint: 'https://ntfy.sh unless it is your own.' },
    { key: 'topic', label: 'Topic' },
    { key: 'token', label: 'Access token', secret: true, optional: true },
  ],
  pagerduty: [{ key: 'routing_key', label: 'Routing key', secret: true }],
}

/** The entry of pgrevive.yaml, and the secrets that it names, by the names of their files. */
export function channelEntry(
  name: string,
  kind: Kind,
  values: Record<string, string>,
): { entry: Record<string, unknown>; secrets: Record<string, string> } {
  const entry: Record<string, unknown> = { kind }
  const secrets: Record<string, string> = {}
  for (const { key, type, secret, many } of channelFields[kind]) {
    const value = values[key]?.trim() ?? ''
    if (value === '') continue
    if (secret === true) {
      const file = `${name}-${key.replace('.', '-')}`
      secrets[file] = value
      put(entry, `${key}_file`, `pgrevive.secrets/${file}`)
    } else put(entry, key, many ? value.split(/[,\s]+/).filter(Boolean) : type === 'number' ? Number(value) : value)
  }
  return { entry, secrets }
}

function put(entry: Record<string, unknown>, key: string, value: unknown): void {
  const [first = '', rest] = key.split('.')
  if (rest === undefined) entry[first] = value
  else entry[first] = { ...(entry[first] as object | undefined), [rest]: value }
}
