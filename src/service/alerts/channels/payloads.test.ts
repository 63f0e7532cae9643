import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { describe, it } from 'node:test'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import { discordPayload } from './discord.ts'
import { mailOf } from './email.ts'
import { headlineOf } from './notice.ts'
import { ntfyPayload } from './ntfy.ts'
import { pagerdutyPayload } from './pagerduty.ts'
import { pingUrl } from './ping.ts'
import { slackPayload } from './slack.ts'
import { telegramPayload } from './telegram.ts'
import { hostileName, testNotice } from './test-notice.ts'
import { fillTemplate, signatureHeaders, webhookPayload } from './webhook.ts'

// What the vendors' documentation demands of each payload, as of November 2026. Unknown keys are refused here, so that a
// misspelled one is found.

const text = (maxLength: number) => ({ type: 'string', minLength: 1, maxLength })
const closed = (properties: object, required: string[]) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})

/** https://docs.slack.dev/reference/block-kit/blocks/{header,section,context}-block, .../composition-objects/text-object */
const slackText = (maxLength: number) => ({
  oneOf: [
    closed({ type: { const: 'plain_text' }, text: text(maxLength), emoji: { type: 'boolean' } }, ['type', 'text']),
    closed({ type: { const: 'mrkdwn' }, text: text(maxLength) }, ['type', 'text']),
  ],
})
const slack = closed(
  {
    text: text(40_000),
    blocks: {
      type: 'array',
      minItems: 1,
      maxItems: 50,
      items: {
        oneOf: [
          closed(
            {
              type: { const: 'header' },
              text: closed({ type: { const: 'plain_text' }, text: text(150), emoji: { type: 'boolean' } }, [
                'type',
                'text',
              ]),
            },
            ['type', 'text'],
          ),
          closed({ type: { const: 'section' }, text: slackText(3000) }, ['type', 'text']),
          closed(
            {
              type: { const: 'context' },
              elements: { type: 'array', minItems: 1, maxItems: 10, items: slackText(3000) },
            },
            ['type', 'elements'],
          ),
        ],
      },
    },
    unfurl_links: { type: 'boolean' },
    unfurl_media: { type: 'boolean' },
  },
  ['text', 'blocks'],
)

/** https://docs.discord.com/developers/resources/message#embed-object-embed-limits, .../webhook#execute-webhook */
const discord = closed(
  {
    username: text(80),
    allowed_mentions: closed({ parse: { type: 'array', maxItems: 0 } }, ['parse']),
    embeds: {
      type: 'array',
      minItems: 1,
      maxItems: 10,
      items: closed(
        {
          title: text(256),
          description: { type: 'string', maxLength: 4096 },
          color: { type: 'integer', minimum: 0, maximum: 0xffffff },
          url: { type: 'string', format: 'uri' },
          footer: closed({ text: text(2048) }, ['text']),
          timestamp: { type: 'string', format: 'date-time' },
        },
        [],
      ),
    },
  },
  ['embeds', 'allowed_mentions'],
)

/** https://core.telegram.org/bots/api#sendmessage */
const telegram = closed(
  {
    chat_id: { type: ['integer', 'string'] },
    text: { type: 'string', minLength: 1 },
    parse_mode: { const: 'HTML' },
    link_preview_options: closed({ is_disabled: { type: 'boolean' } }, []),
    disable_notification: { type: 'boolean' },
  },
  ['chat_id', 'text'],
)

/** https://docs.ntfy.sh/publish/#publish-as-json */
const ntfy = closed(
  {
    topic: { type: 'string', pattern: '^[-_A-Za-z0-9]{1,64}$' },
    title: text(250),
    message: { type: 'string' },
    priority: { type: 'integer', minimum: 1, maximum: 5 },
    tags: { type: 'array', items: { type: 'string' } },
    click: { type: 'string', format: 'uri' },
  },
  ['topic'],
)

/** https://developer.pagerduty.com/docs/send-alert-event */
const pagerdutyKeys = { routing_key: { type: 'string', minLength: 32, maxLength: 32 }, dedup_key: text(255) }
const pagerduty = {
  oneOf: [
    closed({ ...pagerdutyKeys, event_action: { const: 'resolve' } }, ['routing_key', 'event_action', 'dedup_key']),
    closed(
      {
        ...pagerdutyKeys,
        event_action: { const: 'trigger' },
        client: { type: 'string' },
        client_url: { type: 'string', format: 'uri' },
        links: {
          type: 'array',
          items: closed({ href: { type: 'string', format: 'uri' }, text: { type: 'string' } }, ['href']),
        },
        payload: closed(
          {
            summary: text(1024),
            source: text(255),
            severity: { enum: ['critical', 'error', 'warning', 'info'] },
            timestamp: { type: 'string', format: 'date-time' },
            component: { type: 'string' },
            group: { type: 'string' },
            class: { type: 'string' },
            custom_details: { type: 'object' },
          },
          ['summary', 'source', 'severity'],
        ),
      },
      ['routing_key', 'event_action', 'payload'],
    ),
  ],
}

const ajv = new Ajv({ allowUnionTypes: true, strictTypes: false })
addFormats.default(ajv)

const key = 'R0123456789ABCDEF0123456789ABCDE'
const long = `${'é'.repeat(4999)}💥${'<&_*'.repeat(2000)}`
const notices = [
  testNotice(),
  testNotice({ kind: 'reminder', link: 'https://pgrevive.example/alerts/1' }),
  testNotice({ kind: 'closed', alert: { closedAt: '2026-11-23T03:00:00.000Z', severity: 'warning' } }),
  testNotice({ kind: 'test', alert: { severity: 'info', remedy: null, text: 'the backup of shop failed' } }),
  testNotice({ alert: { title: hostileName, subject: hostileName, text: hostileName, remedy: hostileName } }),
  testNotice({ alert: { title: long, subject: long, text: long, remedy: long } }),
]

describe('what is sent to a channel', () => {
  for (const [name, schema, payload] of [
    ['slack', slack, slackPayload],
    ['discord', discord, discordPayload],
    ['telegram', telegram, (notice) => telegramPayload(notice, -100123)],
    ['ntfy', ntfy, (notice) => ntfyPayload(notice, 'backups')],
    ['pagerduty', pagerduty, (notice) => pagerdutyPayload(notice, key)],
  ] as const satisfies (readonly [string, object, (notice: (typeof notices)[number]) => object])[]) {
    it(`is what ${name} documents, whatever a name or a text is`, () => {
      const validate = ajv.compile(schema)
      for (const notice of notices) {
        assert.ok(validate(payload(notice)), `${name}: ${JSON.stringify(validate.errors)}`)
      }
    })
  }

  it('mentions nobody and has no markup of its own in it', () => {
    const hostile = testNotice({ alert: { title: hostileName, text: hostileName } })
    const inSlack = JSON.stringify(slackPayload(hostile))
    // only plain_text holds it as it is
    assert.ok(!/"mrkdwn","text":"[^"]*<!/.test(inSlack))
    assert.match(inSlack, /^\{"text":"[^"]*&lt;!channel&gt;/)
    assert.match(JSON.stringify(discordPayload(hostile)), /\\\\\[x\\\\\]\\\\\(http/)
    const inTelegram = JSON.stringify(telegramPayload(hostile, 1))
    assert.ok(!inTelegram.includes('<script') && inTelegram.includes('&lt;script&gt;'))
    assert.ok(!/[\r\n\u2028]/.test(headlineOf(hostile)))
  })

  it('stays within 4,096 characters of Telegram, tags not counted, and 4,096 bytes of ntfy', () => {
    const notice = testNotice({ alert: { title: long, text: long, subject: long } })
    const [shown] = Object.entries(telegramPayload(notice, 1)).flatMap(([name, value]) =>
      name === 'text' ? [String(value)] : [],
    )
    assert.ok(shown && shown.replaceAll(/<[^>]*>/g, '').replaceAll(/&[a-z#0-9]+;/g, '.').length <= 4096)
    const message = Object.entries(ntfyPayload(notice, 'x')).find(([name]) => name === 'message')?.[1]
    assert.ok(Buffer.byteLength(String(message)) <= 4096)
    assert.ok(!String(message).includes('\uFFFD'))
  })

  it('is one incident of PagerDuty from its beginning to its end', () => {
    const [opened, end] = [testNotice(), testNotice({ kind: 'closed' })].map((notice) => pagerdutyPayload(notice, key))
    assert.ok(opened && end && 'dedup_key' in opened && 'dedup_key' in end)
    assert.equal(opened.dedup_key, end.dedup_key)
  })

  it('is a mail whose headers no name can add to, and whose HTML none can change', () => {
    const notice = testNotice({ alert: { title: hostileName, text: hostileName }, link: 'https://pgrevive.example/' })
    const mail = mailOf(notice, { from: 'pgrevive@example.com', to: ['ops@example.com'] })
    assert.ok(!/[\r\n]/.test(mail.subject))
    assert.ok(!mail.html.includes('<script>') && mail.html.includes('&lt;script&gt;'))
    assert.ok(mail.text.includes('https://pgrevive.example/'))
    const reminder = mailOf(testNotice({ kind: 'reminder' }), { from: 'p@example.com', to: [] })
    assert.equal(reminder.inReplyTo, mail.messageId.replace(/@.*/, '@example.com>'))
  })

  it('is a template of a webhook with every text filled, in which no name can add a key', () => {
    const notice = testNotice({ alert: { title: '","admin":true,"x":"{{severity}}' } })
    const template = { text: '{{headline}} ({{ severity }})', deep: [{ id: '{{id}}', n: 1, keep: '{{unknown}}' }] }
    assert.deepEqual(fillTemplate(template, notice), {
      text: '","admin":true,"x":"{{severity}} (critical)',
      deep: [{ id: notice.alert.id, n: 1, keep: '{{unknown}}' }],
    })
  })

  it('is signed as Standard Webhooks says', () => {
    const body = JSON.stringify(webhookPayload(testNotice()))
    const headers = signatureHeaders(testNotice(), body, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
    const expected = createHmac('sha256', Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64'))
      .update(signed)
      .digest('base64')
    assert.equal(headers['webhook-signature'], `v1,${expected}`)
    // the example of the specification's reference implementations
    assert.deepEqual(
      signatureHeaders(
        { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', at: new Date(1614265330 * 1000) },
        '{"test": 2432232314}',
        'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      )['webhook-signature'],
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    )
  })

  it('is a ping of healthchecks, also where the URL has a query', () => {
    assert.equal(pingUrl('https://hc-ping.com/abc', 'start'), 'https://hc-ping.com/abc/start')
    assert.equal(pingUrl('https://hc-ping.com/key/slug?create=1', 'fail'), 'https://hc-ping.com/key/slug/fail?create=1')
    assert.equal(pingUrl('https://hc-ping.com/abc', 'success'), 'https://hc-ping.com/abc')
  })
})
