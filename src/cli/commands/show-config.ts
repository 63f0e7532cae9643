import { z } from 'zod'
import { formatStorePlace } from '../../store/store-place.ts'
import type { CommandContext } from '../command-context.ts'
import type { ConfiguredHooks } from '../../config/config-hooks.ts'
import type { ConfiguredDatabase, ConfiguredRetention, RepositorySettings } from '../../config/config.ts'
import { type Outcome, defineCommand } from '../define-command.ts'
import { formatDuration, formatQuantity, formatTable } from '../../core/text/format.ts'
import { keyFolder } from '../repositories/repository-access.ts'
import type { Settings } from '../settings/settings.ts'
import { isMeaningful, masked, shownConninfo, shownFile, shownText, shownVariable } from '../terminal/shown-value.ts'

const showConfigOptions = z.strictObject({})

/** Something that is set: what, to which value, and who says so. */
type Setting = readonly [name: string, value: string, from: string]

async function showConfig(_: z.output<typeof showConfigOptions>, context: CommandContext): Promise<Outcome> {
  const settings = await context.settings()
  const all = [
    ...(await general(settings)),
    ...(await ofRepositories(settings, context)),
    ...(await ofDatabases(settings, context)),
    ...(await ofEnvironment(context)),
  ]
  const { colors } = context.terminal
  return {
    document: { settings: all.map(([name, value, from]) => ({ name, value, from })) },
    text: formatTable([{ title: 'setting', style: colors.strong }, { title: 'value' }, { title: 'from' }], all, {
      heading: colors.faint,
      width: context.terminal.outputWidth,
    }),
  }
}

async function general({ config, given, jobs, pgDump, logDirectory, limits, asOf }: Settings): Promise<Setting[]> {
  const file = config?.file ?? 'default'
  const rate = (limit: { readonly bytesPerSecond: number } | undefined) =>
    limit === undefined ? 'none' : `${limit.bytesPerSecond} bytes/s`
  const from = (name: 'limitUpload' | 'limitDownload') =>
    given[name] ?? (config?.[name] === undefined ? 'default' : file)
  return [
    ['configuration', config?.file ?? 'none', given.config ?? (config ? 'the working directory' : 'default')],
    ['jobs', String(jobs), config?.jobs === undefined ? 'default' : file],
    [
      'pg_dump',
      typeof pgDump === 'string' ? pgDump : await shownFile(pgDump.path),
      config?.pgDump === undefined ? 'default' : file,
    ],
    ['log', logDirectory ?? 'none', config?.log === undefined ? 'default' : file],
    ['limit_upload', rate(limits.upload), from('limitUpload')],
    ['limit_download', rate(limits.download), from('limitDownload')],
    ...(asOf === undefined ? [] : [['as of', asOf.toISOString(), '--as-of'] as const]),
    ...retention('retention', config?.retention, file),
    ...hooks('hooks', config?.hooks, file),
  ]
}

async function ofRepositories(settings: Settings, context: CommandContext): Promise<Setting[]> {
  const found = await Promise.all(settings.repositories.map((one) => ofRepository(one, settings, context)))
  return found.flat()
}

async function ofRepository(
  repository: RepositorySettings,
  settings: Settings,
  context: CommandContext,
): Promise<Setting[]> {
  const { config, given } = settings
  const file = config?.file ?? 'default'
  const name = settings.repositories.length > 1 ? `repository ${repository.name}` : 'repository'
  const { keyFiles } = repository
  const keys: Setting[] = []
  for (const path of keyFiles) keys.push([`${name} key_file`, await shownFile(path), given.keyFiles ?? file])
  if (keys.length === 0) keys.push([`${name} key_file`, `${keyFolder(context)}/*.key`, 'default'])
  return [
    [name, formatStorePlace(repository.place), given.repositories ?? file],
    ...keys,
    ...retention(`${name} retention`, repository.retention, file),
  ]
}

async function ofDatabases({ config }: Settings, context: CommandContext): Promise<Setting[]> {
  const found: Setting[] = []
  for (const database of config?.databases.values() ?? []) {
    const file = config?.file ?? ''
    const name = `database ${database.name}`
    found.push([name, shownConninfo(database.conninfo), file])
    if (database.tunnel) found.push([`${name} tunnel`, shownServer(database.tunnel), file])
    if (database.password) found.push([`${name} password`, masked, await sourceOf(database.password, context)])
    for (const [key, patterns] of Object.entries(database.selection)) {
      if (patterns.length > 0) found.push([`${name} ${key}`, patterns.join(', '), file])
    }
    if (database.assertions.length > 0) found.push([`${name} assertions`, String(database.assertions.length), file])
    found.push(...retention(`${name} retention`, database.retention, file))
    found.push(...hooks(`${name} hooks`, database.hooks, file))
  }
  return found
}

function shownServer({ user, host, port }: NonNullable<ConfiguredDatabase['tunnel']>): string {
  return `${user === undefined ? '' : `${shownText(user)}@`}${host}:${port}`
}

async function sourceOf(
  password: NonNullable<ConfiguredDatabase['password']>,
  { environment }: CommandContext,
): Promise<string> {
  if (password.kind === 'file') return shownFile(password.path)
  // a name in the wrong place may be the password
  return environment[password.name] === undefined ? 'a variable that is not set' : password.name
}

/** What others say of variables that options and pgrevive.yaml stand before is not repeated. */
async function ofEnvironment({ environment }: CommandContext): Promise<Setting[]> {
  const told = /^PGREVIVE_(REPO|KEY_FILE|CONFIG|LIMIT_UPLOAD|LIMIT_DOWNLOAD)$/
  const found: Setting[] = []
  for (const name of Object.keys(environment).toSorted()) {
    const value = environment[name]
    if (value === undefined || !isMeaningful(name) || told.test(name)) continue
    found.push([name, await shownVariable(name, value), 'the environment'])
  }
  return found
}

function retention(name: string, configured: ConfiguredRetention | undefined, file: string): Setting[] {
  if (!configured) return []
  const { keepWithinMs, ...counts } = configured.policy
  const rules = [
    ...Object.entries(counts).flatMap(([rule, count]) => (count === undefined ? [] : [`${rule} ${count}`])),
    ...(keepWithinMs === undefined ? [] : [`keepWithin ${formatDuration(keepWithinMs)}`]),
    ...(configured.shrinkPercent === undefined ? [] : [`shrinkPercent ${configured.shrinkPercent}`]),
  ]
  return [[name, rules.join(', '), file]]
}

/** Which there are; what they run may hold a secret. */
function hooks(name: string, configured: ConfiguredHooks | undefined, file: string): Setting[] {
  if (!configured) return []
  const lists = Object.entries(configured.lists).map(
    ([hook, steps]) => `${hook} (${formatQuantity(steps.length, 'step')})`,
  )
  return [[name, lists.join(', '), file]]
}

export const showConfigCommand = defineCommand({
  name: 'show config',
  summary: 'show what is set, and where',
  description:
    'Shows the settings that commands work with, and who says so: an option, a variable, pgrevive.yaml, or nobody. Secrets are not shown, nor whatever may hold one.',
  arguments: [],
  options: [],
  examples: [{ command: 'pgrevive show config', meaning: 'why does it look in that repository?' }],
  schema: showConfigOptions,
  run: showConfig,
})
