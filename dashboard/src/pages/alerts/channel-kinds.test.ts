import assert from 'node:assert/strict'
import { it } from 'node:test'
import { channel } from '../../../../src/config/config-channels.ts'
import { channelEntry, channelFields } from './channel-kinds.ts'

it('makes of each kind an entry that pgrevive.yaml takes, with secrets in files of their own', () => {
  const examples: Record<string, string> = {
    to: 'ops@example.com, dev@example.com',
    from: 'pgrevive@example.com',
    'smtp.port': '2525',
    topic: 'backups',
    chat_id: '@ops',
  }
  for (const kind of Object.keys(channelFields) as (keyof typeof channelFields)[]) {
    const values = Object.fromEntries(
      channelFields[kind].map(({ key, type }) => [
        key,
        examples[key] ?? (type === 'url' ? 'https://example.com/x' : 'secret'),
      ]),
    )
    const { entry, secrets } = channelEntry('ops', kind, values)
    assert.deepEqual(channel.safeParse(entry).error?.issues ?? [], [], kind)
    const secretValues = channelFields[kind].filter((field) => field.secret === true).map((field) => values[field.key])
    assert.deepEqual(Object.values(secrets), secretValues)
    for (const name of Object.keys(secrets))
      assert.match(JSON.stringify(entry), new RegExp(`pgrevive.secrets/${name}"`))
  }
})

it('leaves out what nobody has filled in', () => {
  const { entry, secrets } = channelEntry('phone', 'ntfy', { topic: 'backups', token: ' ' })
  assert.deepEqual(entry, { kind: 'ntfy', topic: 'backups' })
  assert.deepEqual(secrets, {})
})
