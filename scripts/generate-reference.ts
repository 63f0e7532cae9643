import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { describeApi } from '../src/api/app.ts'
import { ApiServer } from '../src/api/server.ts'
import { loadCommands } from '../src/cli/commands.ts'
import { configFileSchema } from '../src/config/config-schema.ts'
import type { Command, CommandOption } from '../src/cli/define-command.ts'
import { environmentVariables, globalOptionWords } from '../src/cli/global-options.ts'
import { errorCodes } from '../src/core/app-error.ts'
import { createTemporaryDirectory } from '../src/core/temporary-directory.ts'
import { Service } from '../src/service/service.ts'

/** The files that are made from the sources, by their paths below the package. */
export async function generateFiles(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['docs/openapi.json', `${JSON.stringify(await apiDescription(), null, 2)}\n`],
    ['docs/pgrevive.schema.json', `${JSON.stringify(configJsonSchema(), null, 2)}\n`],
    ['docs/reference.md', reference(await loadCommands())],
  ])
}

/** As GET /api/openapi.json gives it: of a service that begins nothing, in a directory that is removed. */
async function apiDescription() {
  await using directory = await createTemporaryDirectory('openapi')
  await using service = await Service.open({
    configFile: join(directory.path, 'pgrevive.yaml'),
    environment: {},
    homeDirectory: directory.path,
    tell: () => undefined,
  })
  const log = { request: () => undefined, warning: () => undefined, bug: () => undefined }
  await using api = await ApiServer.open({
    service,
    listen: { host: '127.0.0.1', port: 0 },
    log,
    pages: directory.path,
  })
  return describeApi(api.app)
}

function configJsonSchema() {
  return { title: 'pgrevive.yaml', ...z.toJSONSchema(configFileSchema, { io: 'input', target: 'draft-7' }) }
}

function reference(commands: readonly Command[]): string {
  return [
    '# Reference\n',
    'Made by `npm run reference` from the sources; do not edit.\n',
    '## Commands\n',
    ...commands.map(commandSection),
    '## Options of every command\n',
    optionTable(globalOptionWords),
    'A passphrase is never an option: it comes from the environment, a file, or a question at a terminal.\n',
    'With `--json`, stdout carries exactly one JSON document. When a command fails, the document has ' +
      '`"error": {"code", "message", "hint"}`, and `"postgres"` inside it when a server spoke; nothing else of the ' +
      'document is promised then. Warnings go to stderr.\n',
    '## Environment\n',
    table(
      ['variable', 'meaning'],
      environmentVariables.map(({ name, meaning }) => [`\`${name}\``, meaning]),
    ),
    'The password in a URL on the command line is accepted, as psql does, but every user of the machine can see it in ' +
      'the list of processes: prefer `PGPASSWORD`, `~/.pgpass`, or `password_env` in pgrevive.yaml.\n',
    '## pgrevive.yaml\n',
    'Every key is optional; unknown keys are refused. Paths are relative to the file, `~/` is the home directory, and ' +
      '`${NAME}` in a path or a `url` is taken from the environment. `docs/pgrevive.schema.json` is its JSON Schema: with ' +
      '`# yaml-language-server: $schema=…` as the first line, editors complete and check it.\n',
    '```yaml\n' + exampleConfig + '```\n',
    table(['key', 'type', 'meaning'], configRows(configJsonSchema(), [])),
    '## Errors and exit codes\n',
    'A failure prints `error [code]: message`, often a `hint:`, and ends with the exit code of its code. Exit code 1 is a ' +
      'bug in pgrevive. Exit code 9 is no failure: `diff` found a difference, or `restore --apply` could not insert all that is missing.\n',
    table(
      ['code', 'exit', 'meaning'],
      Object.entries(errorCodes).map(([code, { exit, meaning }]) => [`\`${code}\``, String(exit), meaning]),
    ),
  ].join('\n')
}

export const exampleConfig = `repository: ./backups
key_file: ~/.config/pgrevive/backups.key
jobs: 2
retention:
  keep_daily: 7
  keep_weekly: 5
databases:
  shop:
    url: postgres://backup@db.internal/shop
    password_env: SHOP_PASSWORD
    exclude_table_data: [audit.*, public.sessions]
    assertions:
      - SELECT count(*) > 0 FROM orders
      - name: recent orders
        sql: SELECT max(created_at) > now() - interval '1 day' FROM orders
`

function commandSection(command: Command): string {
  const words = command.arguments.map(({ name, presence }) => {
    if (presence === 'required') return name
    return presence === 'optional' ? `[${name}]` : `[${name}...]`
  })
  return [
    `### pgrevive ${[command.name, ...words].join(' ')}\n`,
    `${command.description}\n`,
    ...(command.arguments.length === 0
      ? []
      : [
          table(
            ['argument', 'meaning'],
            command.arguments.map(({ name, help }) => [`\`${name}\``, help]),
          ),
        ]),
    ...(command.options.length === 0 ? [] : [optionTable(command.options)]),
    '```sh\n' + command.examples.map((it) => `# ${it.meaning}\n${it.command}\n`).join('') + '```\n',
  ].join('\n')
}

function optionTable(options: readonly CommandOption[]): string {
  return table(
    ['option', 'meaning'],
    options.map(({ flags, help }) => [`\`${flags}\``, help]),
  )
}

const jsonSchema = z.object({
  type: z.string().optional(),
  description: z.string().optional(),
  get properties() {
    return z.record(z.string(), jsonSchema).optional()
  },
  get additionalProperties() {
    return z.union([z.boolean(), jsonSchema]).optional()
  },
  get items() {
    return jsonSchema.optional()
  },
  get anyOf() {
    return z.array(jsonSchema).optional()
  },
  get oneOf() {
    return z.array(jsonSchema).optional()
  },
})
type JsonSchema = z.output<typeof jsonSchema>

/** A row for every key of the file, in the order in which they are declared. */
function configRows(schema: unknown, path: readonly string[]): string[][] {
  const { properties = {}, additionalProperties, items, anyOf = [], oneOf = [] } = jsonSchema.parse(schema)
  const rows = Object.entries(properties).flatMap(([key, child]) => {
    const place = [...path, key]
    const shown = `\`${place.join('.')}\``
    return [
      ...(child.description === undefined ? [] : [[shown, typeName(child), child.description]]),
      ...configRows(child, place),
    ]
  })
  if (typeof additionalProperties === 'object') rows.push(...configRows(additionalProperties, [...path, 'NAME']))
  if (items) rows.push(...configRows(items, [...path.slice(0, -1), `${path.at(-1) ?? ''}[]`]))
  const ofAlternatives = [...anyOf, ...oneOf].flatMap((alternative) => configRows(alternative, path))
  return [...rows, ...new Map(ofAlternatives.map((row) => [row.join('\0'), row])).values()]
}

function typeName({ type, anyOf, items }: JsonSchema): string {
  if (anyOf) return anyOf.map(typeName).join(' or ')
  if (type === 'array' && items) return `list of ${typeName(items)}`
  return { string: 'text', integer: 'whole number', object: 'mapping' }[type ?? ''] ?? type ?? ''
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |\n`
  return line(head) + line(head.map(() => '---')) + rows.map(line).join('')
}

if (import.meta.main) {
  for (const [path, content] of await generateFiles()) await writeFile(new URL(`../${path}`, import.meta.url), content)
}
