import { z } from 'zod'
import type { ConfiguredChannel } from '../../config/config-alerts.ts'
import { text } from '../../config/value-types.ts'
import { AppError } from '../../core/app-error.ts'
import { formatDuration, formatTable } from '../../core/text/format.ts'
import { nearestWord } from '../../core/text/suggestion.ts'
import { describeTarget, testChannel } from '../../service/alerts/describe-channels.ts'
import { Reach } from '../../service/reach.ts'
import type { CommandContext } from '../command-context.ts'
import { type Outcome, defineCommand } from '../define-command.ts'

const notifyTestOptions = z.strictObject({ channel: text.optional() })
export type NotifyTestOptions = z.output<typeof notifyTestOptions>

async function notifyTest({ channel }: NotifyTestOptions, context: CommandContext): Promise<Outcome> {
  const { config } = await context.settings()
  const channels = chooseChannels(channel, config?.alerts.channels ?? new Map())
  const reach = new Reach(config?.service.reachPrivate ?? [])
  const { environment } = context
  const tried = await Promise.all(
    channels.map(async (one) => {
      const surroundings = { reach, environment, now: new Date(), serviceUrl: config?.service.url }
      return { channel: one.name, target: describeTarget(one.target), ...(await testChannel(one, surroundings)) }
    }),
  )
  const { colors } = context.terminal
  const outcome = {
    document: { channels: tried },
    text: formatTable(
      [
        { title: 'channel' },
        { title: 'to' },
        { title: 'sent', style: (it) => (it.startsWith('in ') ? colors.good : colors.bad)(it) },
      ],
      tried.map(({ channel: name, target, ok, error, tookMs }) => [
        name,
        target,
        ok ? `in ${formatDuration(tookMs)}` : `no: ${error}`,
      ]),
      { heading: colors.faint, width: context.terminal.outputWidth },
    ),
  }
  const [first, ...others] = tried.filter(({ ok }) => !ok)
  if (!first) return outcome
  const message = `${others.length + 1} of ${tried.length} channels took nothing; ${first.channel}: ${first.error}`
  const hint = `correct alerts.channels.${first.channel} in pgrevive.yaml; docs/how-to/alerts.md has an example of each kind`
  return { ...outcome, failure: new AppError('channel-failed', message, { hint }) }
}

function chooseChannels(
  name: string | undefined,
  channels: ReadonlyMap<string, ConfiguredChannel>,
): readonly ConfiguredChannel[] {
  if (channels.size === 0) {
    throw new AppError('usage-invalid', 'pgrevive.yaml names no channel to send to', {
      hint: 'write one under "alerts: { channels: … }"; docs/how-to/alerts.md has an example of each kind',
    })
  }
  if (name === undefined) return [...channels.values()]
  const chosen = channels.get(name)
  if (chosen) return [chosen]
  const near = nearestWord(name, channels.keys())
  throw new AppError('usage-invalid', `pgrevive.yaml has no channel "${name}"`, {
    hint: near === undefined ? `there are: ${[...channels.keys()].join(', ')}` : `did you mean "${near}"?`,
  })
}

export const notifyTestCommand = defineCommand({
  name: 'notify test',
  summary: 'send a test to the channels of alerts',
  description:
    'Sends a notice that says that it is a test to one channel of pgrevive.yaml, or to each, and tells which took it, and why others did not. Quiet hours and severities do not matter.',
  arguments: [{ key: 'channel', name: 'CHANNEL', presence: 'optional', help: 'one of alerts.channels (default: all)' }],
  options: [],
  examples: [
    { command: 'pgrevive notify test', meaning: 'does everybody hear of trouble?' },
    { command: 'pgrevive notify test ops', meaning: 'one channel, after it was changed' },
  ],
  schema: notifyTestOptions,
  run: notifyTest,
})
