import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { hasCode } from '../../core/app-error.ts'
import { createTemporaryDirectory } from '../../core/temporary-directory.ts'
import { Reach } from '../../service/reach.ts'
import { enteredDatabase } from './adding.ts'
import { guardChange } from './guard-change.ts'

const before = `
repositories: { local: ./backups, shared.name: { place: 's3://bucket/prefix' } }
databases:
  shop: { url: 'postgres://backup@db/shop', password_file: pgrevive.secrets/shop }
  old: { url: 'postgres://backup@db/old', password_env: OLD_PASSWORD }
refreshes:
  staging.one: { from: shop, to: { url: 'postgres://backup@db/staging' }, sql: [mask.sql] }
alerts:
  channels:
    mail: { kind: email, to: [a@b.c], from: a@b.c, smtp: { host: mail.example, user: u, password_file: pgrevive.secrets/mail } }
`

interface Surroundings {
  readonly from?: string
  /** Names of secrets. */
  readonly fresh?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

function guard(after: string, { from = before, fresh = [], environment = {} }: Surroundings = {}): Promise<void> {
  const reach = new Reach([])
  return guardChange(from, after, {
    file: '/etc/pgrevive/pgrevive.yaml',
    stateDirectory: '/etc/pgrevive/var/state',
    repositoryDirectories: ['/backups'],
    environment: { HOME: '/nowhere', AZURE_STORAGE_SAS_TOKEN: 'secret', ...environment },
    reach: (host) => reach.resolve(host),
    fresh: new Set(fresh.map((name) => `/etc/pgrevive/pgrevive.secrets/${name}`)),
  })
}

const refused = (error: unknown) => hasCode(error, 'change-refused', 'address-refused')

describe('changes of pgrevive.yaml over the API', () => {
  const changes: [what: string, after: string][] = [
    ['a hook', `${before}\nhooks: { before_backup: [{ run: id }] }`],
    ['a hook of one database', before.replace("shop'", "shop', hooks: { after_backup: [{ run: id }] }")],
    ['an assertion, which a superuser runs', before.replace("shop',", "shop', assertions: [select 1],")],
    ['a pg_dump', `${before}\npg_dump: /tmp/evil`],
    ['a key', `${before}\nkey_file: /root/key`],
    ['a key of a repository', before.replace("s3://bucket/prefix'", "s3://bucket/prefix', key_file: x")],
    ['a log', `${before}\nlog: /tmp`],
    ['where it listens', `${before}\nservice: { listen: '0.0.0.0:1' }`],
    ['scripts of a refresh whose name has a dot', before.replace('[mask.sql]', '[/tmp/evil.sql]')],
    ['scripts that go', before.replace(', sql: [mask.sql]', '')],
    ['a file outside', before.replace('pgrevive.secrets/shop', '/etc/shadow')],
    ['a file that climbs out', before.replace('pgrevive.secrets/shop', 'pgrevive.secrets/../../shadow')],
    ['a variable', before.replace('password_file: pgrevive.secrets/shop', 'password_env: AWS_SECRET_ACCESS_KEY')],
    ['a variable in a url', before.replace('db/shop', 'evil/${AWS_SECRET_ACCESS_KEY}')],
    ['where a secret is sent', before.replace('@db/shop', '@evil/shop')],
    ['where a variable is sent', before.replace('@db/old', '@evil/old')],
    ['where the password of mail is sent', before.replace('mail.example', 'evil.example')],
    [
      'a secret that another one uses',
      before.replace(
        'databases:',
        "databases:\n  evil: { url: 'postgres://x@evil/x', password_file: pgrevive.secrets/shop }",
      ),
    ],
    ['no hooks, where there are some for all', before.replace("shop'", "shop', hooks: { before_backup: [] }")],
    ['hooks of another kind', before.replace("shop'", "shop', hooks: !!omap []")],
    ['a place of sockets, by naming no host', before.replace('databases:', "databases:\n  new: { url: 'dbname=x' }")],
    ['a socket', before.replace('databases:', "databases:\n  new: { url: 'host=/tmp dbname=x' }")],
    ['a container', before.replace('databases:', "databases:\n  new: { url: 'docker://db/x' }")],
    ['a password file', before.replace('databases:', "databases:\n  new: { url: 'postgres://h/x?passfile=/etc/x' }")],
    ['a TLS key', before.replace('databases:', "databases:\n  new: { url: 'host=h sslkey=/root/key' }")],
    ['a service file', before.replace('databases:', "databases:\n  new: { url: 'service=x' }")],
    [
      'an identity',
      before.replace(
        'databases:',
        "databases:\n  new: { url: 'postgres://h/x', tunnel: 'ssh://h?identity=/root/.ssh/id' }",
      ),
    ],
    ['a directory outside', before.replace('./backups', '/var/lib/evil')],
    ['the directory of the secrets', before.replace('./backups', './pgrevive.secrets/x')],
    ["the service's state", before.replace('./backups', './var/state')],
    ['a directory around it', before.replace('./backups', './var')],
    ['a directory beside one for repositories', before.replace('./backups', '/backups-of-others')],
    ['a directory above one for repositories', before.replace('./backups', '/backups/..')],
    ['a directory above', before.replace('./backups', '../evil')],
    ['the home directory', before.replace('./backups', '~/evil')],
    ['a file: URL', before.replace('./backups', 'file:///var/evil')],
    ['the metadata of a cloud', before.replace('./backups', "'s3://bucket/x?endpoint=http://169.254.169.254'")],
    ['a private endpoint', before.replace('./backups', "'s3://bucket/x?endpoint=http://127.0.0.1:9000'")],
    [
      'one of a repository whose name has a dot',
      before.replace('s3://bucket/prefix', 's3://bucket/x?endpoint=http://10.0.0.1'),
    ],
    ['an SSH server inside', before.replace('./backups', 'sftp://10.0.0.1/x')],
    ['a host key', before.replace('./backups', `'sftp://203.0.113.9/x?host_key=SHA256:${'A'.repeat(43)}'`)],
    [
      'another Azure, which would get the token',
      before.replace('./backups', "'azure://container/x?endpoint=https://evil.example'"),
    ],
  ]
  for (const [what, after] of changes) {
    it(`do not reach for ${what}`, async () => {
      assert.notEqual(after, before)
      await assert.rejects(guard(after), refused)
    })
  }

  it('may be of everything else, and what stands there may stay', async () => {
    const schedules =
      '\nschedules: { nightly: { command: backup, when: daily at 02:00 } }\nretention: { keep_daily: 7 }'
    await guard(before + schedules)
    await guard(
      before.replace('databases:', "databases:\n  new: { url: 'postgres://h/x', password_file: pgrevive.secrets/new }"),
      { fresh: ['new'] },
    )
    await guard(before.replace('./backups', './elsewhere'))
    await guard(before.replace('./backups', '/backups'))
    await guard(before.replace('./backups', '/backups/second'))
    await guard(before.replace('@db/shop', '@new/shop').replace('secrets/shop', 'secrets/shop-2'), {
      fresh: ['shop-2'],
    })
    await guard(before.replace('mail.example', 'other.example'), { fresh: ['mail'] })
    await guard(before.replace('smtp: {', 'least: critical, smtp: {').replace('[a@b.c]', '[d@b.c]'))
  })

  it('may give a name to the only repository, wherever the machine has put it', async () => {
    for (const place of ['/var/backups', "'sftp://10.0.0.1/x?identity=/root/.ssh/id'"]) {
      await guard(`repositories: { main: ${place}, second: ./second }`, { from: `repository: ${place}` })
    }
    await assert.rejects(guard('repositories: { main: /var/other }', { from: 'repository: /var/backups' }), refused)
  })

  it('are not made of a file that is no YAML', async () => {
    await assert.rejects(guard(before, { from: 'databases: {' }), (error) => hasCode(error, 'config-invalid'))
  })
})

describe('secrets that somebody else has entered', () => {
  const tunneled = `databases: { far: { url: 'postgres://u@h/d', tunnel: 'ssh://b', password_file: /root/password } }`
  const channel = (entry: string) => `alerts: { channels: { ops: { ${entry} } } }`
  const ntfy = channel("kind: ntfy, url: 'https://ntfy.corp.example', topic: x, token_file: pgrevive.secrets/topic")
  const hook = channel('kind: webhook, url_file: pgrevive.secrets/hook, token_file: pgrevive.secrets/token')
  const whole = "databases: { far: { url: '${SHOP_URL}', tunnel: 'ssh://b' } }"
  const ways: [how: string, from: string, after: string, fresh?: string[]][] = [
    ['by an entry that names one nobody names any more', '', hook.replace('hook,', 'mine,'), ['mine']],
    ['without the tunnel', tunneled, tunneled.replace(", tunnel: 'ssh://b'", '')],
    ['through another tunnel', tunneled, tunneled.replace('ssh://b', 'ssh://evil')],
    ['in a whole URL of the environment, through another tunnel', whole, whole.replace('ssh://b', 'ssh://evil')],
    ['to the usual server, by taking away the own one', ntfy, ntfy.replace("url: 'https://ntfy.corp.example', ", '')],
    ['to a URL that is entered', hook, hook.replace('secrets/hook', 'secrets/mine'), ['mine']],
    ['to a URL in the clear', hook, hook.replace('url_file: pgrevive.secrets/hook', "url: 'https://evil.example'")],
    [
      'as a channel of another kind',
      hook,
      channel("kind: ntfy, topic: x, token_file: pgrevive.secrets/token, url: 'https://evil.example'"),
    ],
    ['under another name', hook, hook.replace('ops:', 'mine:'), ['hook']],
  ]
  for (const [how, from, after, fresh = []] of ways) {
    it(`are not sent ${how}`, async () => {
      assert.notEqual(after, from)
      await assert.rejects(guard(after, { from, fresh }), refused)
      await assert.rejects(guard(after, { from, fresh }), /enter (it|that) anew/)
      const isOfMachine = from === tunneled || from === whole
      if (!isOfMachine) await guard(after, { from, fresh: ['hook', 'mine', 'token', 'topic'] })
    })
  }
})

describe('the password that the service itself has', () => {
  const environment = { PGPASSWORD: 'of the service' }
  const database = (more = '') => `databases: { new: { url: 'postgres://u@evil/d'${more} } }`
  const own = database(', password_file: pgrevive.secrets/new')

  it('is not given to a database that somebody enters', async () => {
    for (const after of [database(), database().replace('databases', 'servers')]) {
      await assert.rejects(guard(after, { from: '', environment }), /own password would be sent there/)
      await guard(after, { from: '' })
    }
    const refresh = "refreshes: { r: { from: shop, to: { url: 'postgres://u@evil/d' } } }"
    await assert.rejects(guard(refresh, { from: '', environment }), /own password would be sent there/)
    await guard(own, { from: '', environment, fresh: ['new'] })
  })

  it('is not given to one whose own password is taken away, and what stands there may stay', async () => {
    await assert.rejects(guard(database(), { from: own, environment }), /own password would be sent there/)
    await guard(database(', objectives: { rpo: 1h }'), { from: database(), environment })
  })

  it('may be that of ~/.pgpass', async () => {
    await using directory = await createTemporaryDirectory('guard')
    await writeFile(join(directory.path, '.pgpass'), 'good:*:*:*:secret\n', { mode: 0o600 })
    const home = { HOME: directory.path }
    await guard(database(), { from: '', environment: home })
    await assert.rejects(guard(database().replace('evil', 'good'), { from: '', environment: home }), refused)
  })
})

describe('a database that is entered', () => {
  it('loses its password to a file of its own, however it is written', () => {
    const ways = [
      ['postgres://u:p%40ss@h:5433/d?sslmode=require', 'postgres://u@h:5433/d?sslmode=require', 'p@ss'],
      ['postgres://h/d?user=u&password=p%26&sslmode=require', 'postgres://h/d?user=u&sslmode=require', 'p&'],
      ['postgresql://u:a@h1:1,h2:2/d', 'postgresql://u@h1:1,h2:2/d', 'a'],
      [`host=h password='it''s \\' odd' dbname=d`.replace("''", ''), 'host=h  dbname=d', "its ' odd"],
      ['postgres://u@h/d', 'postgres://u@h/d', undefined],
    ] as const
    for (const [url, conninfo, password] of ways) {
      assert.deepEqual(enteredDatabase({ url }), { conninfo, password, tunnel: undefined })
    }
  })

  it('is none that reaches for the machine', () => {
    for (const url of [
      'postgres://%2Ftmp/d',
      'host=/run dbname=d',
      'docker://c/d',
      'service=s',
      'dbname=d user=u port=5432',
      'postgres:///d?user=u',
      'postgres://u@:5432/d',
      'postgres://h,/d',
      'host=h,h hostaddr=127.0.0.1,/tmp dbname=d',
      'postgres://h/d?sslcert=/x',
    ]) {
      assert.throws(
        () => enteredDatabase({ url }),
        (error) => hasCode(error, 'change-refused', 'usage-invalid'),
        url,
      )
    }
    for (const tunnel of ['ssh://h?identity=/root/.ssh/id', 'ssh://u:p@h', 'http://h']) {
      assert.throws(() => enteredDatabase({ url: 'postgres://h/d', tunnel }), refused, tunnel)
    }
  })
})
