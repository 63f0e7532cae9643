import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exampleConfig } from '../../scripts/generate-reference.ts'
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
})
