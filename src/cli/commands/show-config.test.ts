import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { z } from 'zod'
import { TestHost } from './test-host.ts'

const document = z.strictObject({
  settings: z.array(z.strictObject({ name: z.string(), value: z.string(), from: z.string() })),
})

/** Each planted somewhere else; no other word of the output begins like them. */
const secret = (place: string) => `h1dd3n-${place}`

describe('show config', () => {
  it('tells what is set, and who says so: an option before a variable, and that before pgrevive.yaml', async () => {
    await using host = await TestHost.create()
    await writeFile(
      host.path('pgrevive.yaml'),
      `repository: ./configured\nkey_file: a.key\njobs: 3\nretention: { keep_daily: 7 }\n` +
        `databases: { shop: { url: "postgres://backup@db.internal/shop", password_env: SHOP, exclude_tables: [audit.*], tunnel: 'ssh://me@bastion' } }\n`,
    )
    await writeFile(host.path('a.key'), '')
    const file = host.path('pgrevive.yaml')
    const show = async (on: TestHost, ...args: string[]) => {
      const { settings } = await on.document(document, 'show', 'config', ...args)
      return new Map(settings.map(({ name, value, from }) => [name, [value, from]]))
    }
    const byFile = await show(host.with({ PGREVIVE_REPO: undefined, SHOP: 'x' }))
    assert.deepEqual(byFile.get('configuration'), [file, 'the working directory'])
    assert.deepEqual(byFile.get('jobs'), ['3', file])
    assert.deepEqual(byFile.get('pg_dump'), ['auto', 'default'])
    assert.deepEqual(byFile.get('retention'), ['keepDaily 7', file])
    assert.deepEqual(byFile.get('database shop tunnel'), ['me@bastion:22', file])
    assert.deepEqual(byFile.get('database shop'), ['user=backup dbname=shop host=db.internal', file])
    assert.deepEqual(byFile.get('database shop password'), ['********', 'SHOP'])
    assert.deepEqual(byFile.get('database shop excludeTables'), ['audit.*', file])
    assert.deepEqual(byFile.get('repository'), [host.path('configured'), file])
    const byVariable = await show(host.with({ PGPORT: '5433', AWS_REGION: 'eu-central-1' }))
    assert.deepEqual(byVariable.get('repository'), [host.path('backups'), 'PGREVIVE_REPO'])
    assert.deepEqual(byVariable.get('PGPORT'), ['5433', 'the environment'])
    assert.deepEqual(byVariable.get('AWS_REGION'), ['eu-central-1', 'the environment'])
    const byOption = await show(host, '--repo', 's3://bucket/shop?region=eu-central-1', '--key-file', 'a.key')
    assert.deepEqual(byOption.get('repository'), ['s3://bucket/shop?region=eu-central-1', '--repo'])
    assert.deepEqual(byOption.get('repository key_file'), [host.path('a.key'), '--key-file'])
  })

  it('shows no secret, wherever it lies and however wrong its place is', async () => {
    await using host = await TestHost.create()
    await writeFile(host.path('password'), `${secret('file')}\n`)
    await writeFile(
      host.path('pgrevive.yaml'),
      `pg_dump: /bin/pg_dump --password=${secret('command')}
key_file: ${secret('key-file')}
databases:
  variable: { url: "postgres://h/x", password_env: SHOP_PASSWORD }
  file: { url: "postgres://h/x", password_file: password }
  misplaced: { url: "postgres://h/x", password_file: "${secret('misplaced')}" }
  mistaken: { url: "postgres://h/x", password_env: "${secret('mistaken')}" }
  whole: { url: "\${WHOLE_URL}" }
  words: { url: "\${WORDS}" }
  pasted: { url: "\${PASTED}" }
  options: { url: "postgres://h/x?options=-c%20my.token%3D${secret('options')}" }
  query: { url: "postgres://h/x", assertions: ["SELECT '${secret('query')}' = 'x'"] }
`,
    )
    const variables = {
      SHOP_PASSWORD: secret('variable'),
      WHOLE_URL: `postgres://u:${secret('url')}@h/x?sslpassword=${secret('sslpassword')}`,
      WORDS: `host=h password='${secret('words')} x' dbname=x`,
      PASTED: `postgres://u:${secret('pasted')}@p@h/x`,
      PGPASSWORD: secret('PGPASSWORD'),
      PGOPTIONS: `-c my.token=${secret('PGOPTIONS')}`,
      PGDATABASE: `postgres://u:${secret('PGDATABASE')}@h/x`,
      PGUSER: `keeper:${secret('PGUSER')}`,
      PGPASSFILE: host.path('password'),
      PGREVIVE_PASSPHRASE: secret('passphrase'),
      PGREVIVE_PASSPHRASE_FILE: secret('passphrase-file'),
      PGREVIVE_NEW_PASSPHRASE: secret('new'),
      PGREVIVE_DUMP_PASSPHRASE: secret('dump'),
      PGREVIVE_SFTP_PASSWORD: secret('sftp'),
      PGREVIVE_KEY_FILE: secret('PGREVIVE_KEY_FILE'),
      AWS_SECRET_ACCESS_KEY: secret('aws'),
      AWS_SESSION_TOKEN: secret('token'),
      AWS_ENDPOINT_URL: `https://u:${secret('endpoint')}@s3.example.org`,
      AWS_PROFILE: `https://u:${secret('profile')}@x`,
      AZURE_STORAGE_KEY: secret('azure'),
      AZURE_STORAGE_CONNECTION_STRING: `AccountKey=${secret('connection')};`,
      AZURE_STORAGE_SAS_TOKEN: `sig=${secret('sas')}`,
      GITHUB_TOKEN: secret('foreign'),
    }
    for (const args of [[], ['--json'], ['--config', 'pgrevive.yaml']]) {
      const { exitCode, stdout, stderr } = await host.with(variables).run('show', 'config', ...args)
      assert.equal(exitCode, 0, stderr)
      assert.doesNotMatch(stdout + stderr, /h1dd3n/)
      for (const name of ['whole', 'words', 'pasted', 'misplaced']) assert.match(stdout, new RegExp(`database ${name}`))
      assert.match(stdout, /PGREVIVE_PASSPHRASE/)
    }
    const wrong = [
      ['--repo', `s3://key:${secret('repo')}@bucket/x`],
      ['--repo', `s3://bucket/x?secret=${secret('repo')}`],
      ['--repo', `sftp://user:${secret('repo')}@host/x`],
      ['--repo', `azure://container/x?sig=${secret('repo')}`],
      ['--limit-upload', secret('rate')],
    ]
    for (const args of wrong) {
      const { exitCode, stdout, stderr } = await host.run('show', 'config', ...args)
      assert.equal(exitCode, 2, stdout)
      assert.doesNotMatch(stdout + stderr, /h1dd3n/)
    }
  })

  it('is not taken for a backup, and a backup not for it', async () => {
    await using host = await TestHost.create()
    await host.succeed('init')
    assert.match((await host.run('show', 'latest')).stderr, /\[backup-unknown\]/)
    assert.match((await host.run('show')).stderr, /missing required argument/)
  })
})
