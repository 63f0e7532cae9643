import { isDeepStrictEqual } from 'node:util'
import { unifiedDiff } from '../../diff/unified-diff.ts'
import { hasCode } from '../../core/app-error.ts'
import type { SettingsPreview } from '../../shapes/service.ts'
import { z } from 'zod'
import type { ConfigText } from './config-text.ts'
import { parseTree } from './config-tree.ts'

/** What a change of pgrevive.yaml would do, and what is wrong with it. */
export async function previewSettings(
  config: ConfigText,
  after: string,
  fresh: ReadonlySet<string>,
): Promise<SettingsPreview> {
  const { text: before, file } = await config.read()
  const problems = await problemsOf(config, { before, after, file, fresh })
  return { problems, diff: diffOf(before, after), effects: problems.length === 0 ? effectsOf(before, after) : [] }
}

async function problemsOf(
  config: ConfigText,
  { before, after, file, fresh }: { before: string; after: string; file: string; fresh: ReadonlySet<string> },
): Promise<SettingsPreview['problems']> {
  try {
    await config.check(before, after, { fresh })
    return []
  } catch (error) {
    if (hasCode(error, 'config-invalid')) return error.message.split('\n').map((line) => problemOf(line, file))
    if (hasCode(error, 'change-refused', 'address-refused', 'address-unknown', 'usage-invalid', 'connection-invalid')) {
      return [{ line: null, message: error.message }]
    }
    throw error
  }
}

/** Of "FILE:LINE: MESSAGE". */
function problemOf(text: string, file: string): SettingsPreview['problems'][number] {
  const rest = text.startsWith(`${file}:`) ? text.slice(file.length + 1) : text
  const [, line, message] = /^(\d+): ([^]*)$/.exec(rest) ?? []
  return line === undefined || message === undefined ? { line: null, message: text } : { line: Number(line), message }
}

const kinds = { ' ': 'same', '+': 'added', '-': 'removed' } as const

function diffOf(before: string, after: string): SettingsPreview['diff'] {
  return unifiedDiff(before, after).flatMap((line) => {
    const mark = line.charAt(0)
    return mark === ' ' || mark === '+' || mark === '-' ? [{ kind: kinds[mark], text: line.slice(1) }] : []
  })
}

/** What stands under a key by name, and what it means that it came, went or changed. */
const parts = [
  ['databases', 'database', 'is backed up from now on', 'is no longer backed up; its backups stay'],
  ['servers', 'server', 'is looked at for databases', 'is no longer looked at; the backups of its databases stay'],
  ['repositories', 'repository', 'gets the next backups, too', 'gets no more backups; what is in it stays'],
  ['schedules', 'schedule', 'begins', 'ends'],
  ['refreshes', 'refresh', 'can be run', 'can not be run any more'],
] as const
const channelParts = ['channel', 'is told of alerts', 'is told nothing more'] as const

const mapping = z.record(z.string(), z.unknown()).catch({})
const fileShape = z
  .looseObject({ alerts: z.looseObject({ channels: mapping }).catch({ channels: {} }) })
  .catch({ alerts: { channels: {} } })

function effectsOf(before: string, after: string): string[] {
  const [old, young] = [before, after].map((text) => fileShape.parse(parseTree(text)))
  if (!old || !young) return []
  const named = parts.flatMap(([key, what, came, went]) => changes(old[key], young[key], [what, came, went]))
  const channels = changes(old.alerts.channels, young.alerts.channels, channelParts)
  const rest = (['retention', 'objectives'] as const).flatMap((key) =>
    isDeepStrictEqual(old[key], young[key]) ? [] : [restEffects[key]],
  )
  const all = [...named, ...channels, ...rest]
  return all.length > 0 || isDeepStrictEqual(old, young) ? all : ['other settings change, for the next run']
}

const restEffects = {
  retention: 'other backups are kept and forgotten, from the next "forget" on; look at the preview of it',
  objectives: 'databases are judged by other objectives, at once',
}

function changes(old: unknown, young: unknown, [what, came, went]: readonly [string, string, string]): string[] {
  const [before, after] = [mapping.parse(old ?? {}), mapping.parse(young ?? {})]
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((name) => {
    if (!Object.hasOwn(before, name)) return [`the ${what} "${name}" is new: it ${came}`]
    if (!Object.hasOwn(after, name)) return [`the ${what} "${name}" goes: it ${went}`]
    return isDeepStrictEqual(before[name], after[name]) ? [] : [`the ${what} "${name}" changes`]
  })
}
