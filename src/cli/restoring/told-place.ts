import type { ConnectionTarget } from '../../postgres/target/connection-target.ts'
import type { Settings } from '../settings/settings.ts'
import { redactPasswords } from '../../core/text/redact-passwords.ts'
import { shellWord } from '../../core/text/shell-word.ts'

/**
 * The `--to` and `--repo` of a command that is told, so that it can be pasted: as they were given, without what may be a
 * password in --to, which is left to the environment.
 */
export function toldPlace(
  target: ConnectionTarget,
  to: string | undefined,
  settings: Pick<Settings, 'given' | 'repositories'>,
): string {
  const bare = to?.replace(/^(\w+:\/\/[^\s:/?#@]*):[^\s/?#@]*@(?!.*@)/, '$1@') // a URL may say more than host and name
  const place = bare === undefined || redactPasswords(bare) === bare ? bare : withoutPassword(target)
  return [...(place === undefined ? [] : [`--to ${shellWord(place)}`]), ...toldRepositories(settings)].join(' ')
}

/** The `--repo` of a command that is told, as they were given. */
export function toldRepositories({ given, repositories }: Pick<Settings, 'given' | 'repositories'>): string[] {
  const named = given.repositories === '--repo' ? repositories.map(({ name }) => name) : []
  return named.map((name) => `--repo ${shellWord(redactPasswords(name))}`)
}

function withoutPassword({ hosts, user, database }: ConnectionTarget): string {
  const quote = (value: string) => `'${value.replaceAll(/['\\]/g, String.raw`\$&`)}'`
  const join = (values: readonly (string | number)[]) => quote(values.join(','))
  return `host=${join(hosts.map(({ host }) => host))} port=${join(hosts.map(({ port }) => port))} user=${quote(user)} dbname=${quote(database)}`
}
