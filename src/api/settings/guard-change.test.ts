import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { hasCode } from '../../core/app-error.ts'
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

function guard(after: string, fresh: readonly string[] = []): Promise<void> {
  const reach = new Reach([])
  return guardChange(before, after, {
    file: '/etc/pgrevive/pgrevive.yaml',
    environment: { AZURE_STORAGE_SAS_TOKEN: 'secret' },
    reach: (host) => reach.resolve(host),
    fresh: new Set(fresh),
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
    )
    await guard(before.replace('./backups', './elsewhere'))
    await guard(before.replace('@db/shop', '@new/shop').replace('secrets/shop', 'secrets/shop-2'))
    await guard(before.replace('mail.example', 'other.example'), ['/etc/pgrevive/pgrevive.secrets/mail'])
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
