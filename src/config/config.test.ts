import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exampleConfig } from '../../scripts/generate-reference.ts'
import { restoreEverything } from '../repository/backups/restore-plan.ts'
import { parseConfig } from './config.ts'

const options = {
  file: '/etc/pgrevive.yaml',
  environment: { HOST: 'db', URL: 'postgres://u:p@h/x' },
  homeDirectory: '/home/ann',
}

function problems(text: string): string[] {
  try {
    parseConfig(text, options)
  } catch (error) {
    assert.ok(error instanceof Error && 'code' in error)
    assert.equal(error.code, 'config-invalid')
    return error.message.split('\n').map((line) => line.replace('/etc/pgrevive.yaml:', ''))
  }
  return []
}

describe('pgrevive.yaml', () => {
  it('is understood as the reference shows it', () => {
    const config = parseConfig(exampleConfig, options)
    assert.deepEqual(
      config.repositories.map(({ place }) => place),
      [{ kind: 'directory', path: '/etc/backups' }],
    )
    assert.equal(config.keyFile, '/home/ann/.config/pgrevive/backups.key')
    assert.equal(config.jobs, 2)
    assert.deepEqual([config.retention?.policy.keepDaily, config.retention?.policy.keepWeekly], [7, 5])
    const shop = config.databases.get('shop')
    assert.deepEqual(shop?.password, { kind: 'variable', name: 'SHOP_PASSWORD' })
    assert.deepEqual(shop.selection.excludeTableData, ['audit.*', 'public.sessions'])
    assert.equal(shop.assertions[0]?.name, 'SELECT count(*) > 0 FROM orders')
    assert.equal(shop.assertions[1]?.name, 'recent orders')
  })

  it('is refused where a name could not be told in a line or given to a process', () => {
    const url = 'postgres://h/d'
    for (const odd of [String.raw`\0`, String.raw`\n`, String.raw`\e[31m`, String.raw`\x9b`]) {
      for (const text of [
        `databases: { "a${odd}b": { url: ${url} } }`,
        `servers: { "a${odd}b": { url: ${url} } }`,
        `repository: "./a${odd}b"`,
        `repositories: { "a${odd}b": ./x }`,
        `schedules: { "a${odd}b": { command: backup, when: hourly } }`,
        `refreshes: { "a${odd}b": { from: x, to: { url: ${url} } } }`,
        `alerts: { channels: { "a${odd}b": { kind: ntfy, topic: x } } }`,
      ]) {
        const [problem = '', ...more] = problems(text)
        assert.match(problem, /^1: .*must (be letters|hold no control characters)/, text)
        assert.deepEqual([more, /\p{Cc}/u.test(problem)], [[], false], text)
      }
    }
    assert.deepEqual(problems(`databases: { "größe ☃ ' -- <b>": { url: ${url} } }`), [])
  })

  it('names no place twice: one copy is not two', () => {
    const twice = (place: string) => problems(`repositories:\n  one: ./backups\n  two: ${place}\n`)
    for (const place of ['backups/', 'x/../backups', '/etc/backups', 'file:///etc/backups', '{ place: ./backups }'])
      assert.match(twice(place).join(), /^3: "two" is the same place as "one"/, place)
    assert.deepEqual(twice('./backups2'), [])
  })

  it('may be long and deep: what is wrong a thousand times is told a hundred times', () => {
    const names = Array.from({ length: 1000 }, (_, index) => `d${index}`)
    const all = problems(`databases:\n${names.map((name) => `  ${name}: {}\n`).join('')}`)
    assert.deepEqual([all.length, all.at(-1)], [101, ' and 900 more'])
    assert.deepEqual(problems(`alerts: ${'['.repeat(300)}${']'.repeat(300)}`), ['1: This is nested too deeply'])
  })

  it('may be empty', () => {
    assert.deepEqual(problems(''), [])
    assert.equal(parseConfig('# nothing yet\n', options).databases.size, 0)
  })

  it('says how long backups stay, in general and of one database', () => {
    const text = `retention: { keep_within: 36h, keep_last: 3, minimum: 2, shrink_percent: 90 }
databases:
  shop: { url: postgres:///shop, retention: { keep_within: 2w } }
`
    const config = parseConfig(text, options)
    const hourMs = 3600 * 1000
    assert.equal(config.retention?.policy.keepWithinMs, 36 * hourMs)
    assert.deepEqual([config.retention.policy.minimum, config.retention.shrinkPercent], [2, 90])
    assert.equal(config.databases.get('shop')?.retention?.policy.keepWithinMs, 14 * 24 * hourMs)
    assert.deepEqual(problems('retention: { keep_within: 3 days, keep_dayly: 3 }'), [
      '1: retention.keep_within: must be a number of hours, days or weeks, such as 36h, 14d or 8w',
      '1: unknown key "keep_dayly" in retention; did you mean "keep_daily"?',
    ])
  })

  it('says what a tunnel may not be, without what may be a password in it', () => {
    const problem = (url: string, tunnel: string) =>
      problems(`databases: { shop: { url: '${url}', tunnel: '${tunnel}' } }`)[0]
    assert.equal(problem('postgres:///shop', 'ssh://me@bastion:2222'), undefined)
    assert.match(problem('docker://db/shop', 'ssh://me@bastion') ?? '', /^1: .*set DOCKER_HOST=ssh/)
    for (const wrong of ['me@bastion', 'ssh://me:hunter2@bastion', 'ssh://bastion?pasword=hunter2']) {
      assert.match(problem('postgres:///shop', wrong) ?? '', /^1: the ssh:\/\/ URL is wrong: (?!.*hunter2)/)
    }
  })

  it('says every problem with its line, and suggests what was meant', () => {
    const text = `repositroy: ./backups
jobs: many
databases:
  shop:
    url: postgres://backup@db/shop
    excludeTables: [a]
  news: {}
  blog:
    url: postgres://db/blog
    assertions:
      - name: x
        query: SELECT true
`
    assert.deepEqual(problems(text), [
      '1: unknown key "repositroy"; did you mean "repository"?',
      '2: jobs: expected number, received string',
      '6: unknown key "excludeTables" in databases.shop; did you mean "exclude_tables"?',
      '7: databases.news.url must be given',
      '11: databases.blog.assertions.0.sql must be given',
      '12: unknown key "query" in databases.blog.assertions.0',
    ])
  })

  it('says where the YAML itself is wrong', () => {
    assert.match(problems('jobs: 2\njobs: 3\n')[0] ?? '', /^2: Map keys must be unique/)
    assert.match(problems('databases: [\n')[0] ?? '', /^\d: /)
  })

  it('takes variables of the environment', () => {
    const database = (url: string) => parseConfig(`databases: { a: { url: "${url}" } }`, options).databases.get('a')
    assert.equal(database('postgres://${HOST}/x')?.conninfo, 'postgres://db/x')
    assert.equal(database('${URL}')?.conninfo, 'postgres://u:p@h/x')
    assert.deepEqual(problems('repository: ${NOWHERE}/x'), ['1: the environment has no variable NOWHERE'])
    assert.match(problems('jobs: 2\nrepository: s3://bucket?secret=x').join(), /^2: .*options that are not known$/)
  })

  it('refuses passwords in the file', () => {
    for (const url of [
      'postgres://u:p@h/x',
      'postgres://u:${PW}@h/x',
      'postgres://h/x?password=p',
      'host=h password=p',
      "host=h sslpassword = 'p'",
    ]) {
      assert.match(
        problems(`databases:\n  a:\n    url: "${url}"\n`)[0] ?? '',
        /^3: the url of database "a" holds a password/,
      )
    }
    assert.deepEqual(problems('databases: { a: { url: "postgres://u@h:5432/x?sslmode=require" } }'), [])
  })

  it('refuses two sources of one password', () => {
    const text = 'databases:\n  a:\n    url: postgres://h/x\n    password_env: A\n    password_file: b\n'
    assert.deepEqual(problems(text), ['5: password_env and password_file exclude each other'])
  })

  it('says what is demanded of backups: of a database, else of all, else a day and a week', () => {
    const text = `objectives: { rpo: 12h, restore_within: 30m }
databases:
  shop: { url: postgres:///shop, objectives: { rpo: none, prove_every: 2w } }
  blog: { url: postgres:///blog }
`
    const config = parseConfig(text, options)
    const hourMs = 3600 * 1000
    assert.deepEqual(config.databases.get('shop')?.objectives, {
      rpo: null,
      proveEvery: 14 * 24 * hourMs,
      restoreWithin: hourMs / 2,
      written: ['rpo', 'proveEvery', 'restoreWithin'],
    })
    const blog = config.databases.get('blog')?.objectives
    assert.deepEqual(
      [blog?.rpo, blog?.proveEvery, blog?.written],
      [12 * hourMs, 7 * 24 * hourMs, ['rpo', 'restoreWithin']],
    )
    assert.deepEqual(problems('objectives: { rpo: 0h }'), [
      '1: objectives.rpo: must be none, or a time such as 30m, 24h or 7d',
    ])
  })

  it('says what runs when, and what a schedule may not name', () => {
    const text = `repositories: { local: ./a, offsite: ./b }
schedules:
  nightly: { command: backup, when: daily at 02:00, time_zone: Europe/Berlin, jitter: 10m, databases: ['app_*'] }
  paused: { command: check, when: 0 4 * * 1, level: bits, budget: 10GB, enabled: false }
`
    const { schedules } = parseConfig(text, options)
    assert.deepEqual(schedules.get('nightly')?.when, {
      cron: '0 2 * * *',
      timeZone: 'Europe/Berlin',
      jitterMs: 600_000,
      seed: 'nightly',
    })
    assert.equal(schedules.get('paused')?.enabled, false)
    const wrong = `repositories: { local: ./a }
schedules:
  one: { command: backup, when: dayly at 02:00 }
  two: { command: prune, when: hourly, databases: [shop] }
  three: { command: sync, when: every 7 hours, from: locla }
  four: { command: refresh, when: hourly, jitter: 1h, time_zone: Europe/Berlni }
  five: { command: list, when: hourly }
`
    assert.deepEqual(problems(wrong.replace(/ {2}five.*\n/, '')), [
      '3: "dayly at 02:00" is not understood; did you mean "daily at 02:00"?',
      '4: databases does not belong to prune',
      '5: no repository of this file is named "locla"; did you mean "local"?',
      '5: 24 hours are no whole number of 7 hours; every 6 hours would do',
      '6: refresh must name one of refreshes',
      '6: "Europe/Berlni" is no time zone; did you mean "Europe/Berlin"?',
    ])
    assert.match(problems(wrong)[0] ?? '', /^7: schedules\.five\.command: .*backup/)
    assert.deepEqual(problems('schedules: { a: { command: prune, when: every 15 minutes, jitter: 15m } }'), [
      '1: jitter must be shorter than the time between two runs',
    ])
  })

  it('says who is told, with secrets from elsewhere only', () => {
    const text = `schedules: { nightly: { command: backup, when: daily at 02:00 } }
alerts:
  remind_every: 12h
  channels:
    ops:
      kind: email
      to: [ops@example.com]
      from: pgrevive@example.com
      smtp: { host: mail, user: me, password_file: mail.password }
      least: critical
      quiet: { from: '22:00', to: '07:00', time_zone: Europe/Berlin }
    chat: { kind: slack, url_env: SLACK_URL }
  pings:
    nightly: { url: https://hc.example/1 }
`
    const { alerts } = parseConfig(text, options)
    const ops = alerts.channels.get('ops')
    assert.ok(ops?.target.kind === 'email')
    assert.deepEqual(ops.target.smtp, {
      host: 'mail',
      port: 587,
      user: 'me',
      password: { kind: 'file', path: '/etc/mail.password' },
      tls: 'starttls',
      caFile: undefined,
    })
    assert.deepEqual([ops.least, ops.quiet?.exceptCritical], ['critical', false])
    const chat = alerts.channels.get('chat')
    assert.deepEqual(chat?.target, { kind: 'slack', url: { kind: 'variable', name: 'SLACK_URL' } })
    assert.equal(chat.least, 'warning')
    assert.equal(alerts.remindEveryMs, 12 * 3600 * 1000)
    const wrong = `alerts:
  channels:
    a: { kind: sms }
    b: { kind: slack, topic: x }
`
    assert.deepEqual(problems(wrong), [
      '3: alerts.channels.a.kind must be one of email, slack, discord, telegram, webhook, ntfy, pagerduty',
      '4: unknown key "topic" in alerts.channels.b',
    ])
    const incomplete = `alerts:
  channels:
    a: { kind: telegram, chat_id: 1 }
    b: { kind: slack, url: https://x.example, url_env: X }
    c: { kind: email, to: [a@b.example], from: a@b.example, smtp: { host: h, user: u, password_env: P, tls: none } }
  pings: { nightly: { url: https://hc.example/1 } }
`
    assert.deepEqual(problems(incomplete), [
      '3: alerts.channels.a needs token_env or token_file',
      '4: url and url_env or url_file exclude each other',
      '5: without TLS the password could be read on its way',
      '6: no schedule of this file is named "nightly"',
    ])
  })

  it('says what is filled from a backup again and again', () => {
    const text = `databases: { shop: { url: postgres:///shop } }
refreshes:
  staging: { from: shop, to: { url: postgres://u@h/staging, password_env: PW }, sql: [mask.sql] }
schedules: { morning: { command: refresh, when: daily at 07:00, refresh: staging } }
`
    assert.deepEqual(parseConfig(text, options).refreshes.get('staging'), {
      name: 'staging',
      from: 'shop',
      to: { conninfo: 'postgres://u@h/staging', tunnel: undefined, password: { kind: 'variable', name: 'PW' } },
      sql: ['/etc/mask.sql'],
      proven: true,
      keep: false,
      choices: restoreEverything,
      createRoles: false,
    })
    assert.deepEqual(problems('refreshes: { a: { from: b, to: { url: postgres://u:secret@h/x } } }'), [
      '1: the url of refreshes.a.to holds a password; use password_env, password_file or ~/.pgpass',
    ])
  })

  it('names servers, whose databases are known by name without being listed', () => {
    const { databases } = parseConfig(
      `servers:
  main: { url: 'postgres://u@h:5/postgres?sslmode=require', password_env: SECRET, exclude: ['test_*'], objectives: { rpo: 1h } }
  box: { url: 'compose://shop/db/app?sslmode=disable', include: [app, 'a b*'] }
databases: { shop: { url: postgres:///shop } }
`,
      options,
    )
    assert.deepEqual([...databases.keys()], ['shop'])
    const known = databases.get('main/shop')
    assert.equal(known?.conninfo, "user='u' dbname='shop' host='h' port='5' sslmode='require'")
    assert.deepEqual(
      [known.name, known.password, known.objectives.rpo],
      ['main/shop', { kind: 'variable', name: 'SECRET' }, 3600_000],
    )
    assert.match(databases.get("main/--all a='b\\c")?.conninfo ?? '', /dbname='--all a=\\'b\\\\c' /)
    assert.equal(databases.get('box/a b/c?d')?.conninfo, 'compose://shop/db/a%20b%2Fc%3Fd?sslmode=disable')
    for (const name of ['main/test_1', 'main/', 'main', 'other/shop', 'box/shop']) assert.ok(!databases.has(name), name)
    assert.deepEqual(problems(`servers: { main: { url: h } }\ndatabases: { main/shop: { url: x } }`), [
      '2: "main/shop" is the name of a database of the server main',
    ])
  })

  it('says how the service runs', () => {
    const usual = parseConfig('', options).service
    assert.deepEqual([usual.listen, usual.atOnce, usual.stopWithinMs], [{ host: '127.0.0.1', port: 8432 }, 2, 30_000])
    const { service } = parseConfig(
      `service:
  listen: '[::1]:9000'
  state: ./state
  tls: { certificate_file: tls.crt, key_file: tls.key }
  sign_in: { oidc: { corp: { issuer: https://id.example, client_id: us, client_secret_env: SECRET, roles: { dba: admin } } } }
`,
      options,
    )
    assert.deepEqual(
      [service.listen, service.state, service.tls?.keyFile],
      [{ host: '::1', port: 9000 }, '/etc/state', '/etc/tls.key'],
    )
    assert.equal(service.oidc.get('corp')?.roles.get('dba'), 'admin')
    assert.deepEqual(
      problems('service:\n  listen: 127.0.0.1:99999\n  trusted_proxies: [10.0.0.0/8, proxy]\n  stop_within: soon\n'),
      [
        '2: service.listen: must have a port up to 65535',
        '3: service.trusted_proxies.1: must be an address or a network such as 10.0.0.0/8',
        '4: service.stop_within: must be a time such as 30s, 5m or 2h',
        '4: service.stop_within: must be from 1s to 576h, which is 24 days',
      ],
    )
  })
})
