import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { loadSettings, requireRepository } from './settings.ts'

describe('settings', () => {
  let directory = ''
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pgrevive-settings-'))
    await writeFile(join(directory, 'pgrevive.yaml'), 'repository: ./configured\njobs: 7\npg_dump: ./pg_dump\n')
    await writeFile(join(directory, 'other.yaml'), 'key_file: other.key\n')
    await writeFile(join(directory, 'both.yaml'), 'repository: a\nrepositories: { b: b }\n')
    await writeFile(
      join(directory, 'several.yaml'),
      'key_file: usual.key\nrepositories:\n  local: ./here\n  offsite:\n    place: there\n    key_file: offsite.key\n',
    )
  })
  after(() => rm(directory, { recursive: true }))

  const load = (
    options: Partial<Parameters<typeof loadSettings>[0]>,
    environment: Record<string, string> = {},
    at = directory,
  ) =>
    loadSettings(
      { repo: [], keyFile: [], config: undefined, asOf: undefined, ...options },
      { environment, currentDirectory: at, homeDirectory: '/home/ann' },
    )

  const placesOf = ({ repositories }: Awaited<ReturnType<typeof load>>) =>
    repositories.map(({ place }) => (place.kind === 'directory' ? relative(directory, place.path) : place.kind))

  it('take an option before a variable, and a variable before pgrevive.yaml', async () => {
    const environment = { PGREVIVE_REPO: 'variable' }
    assert.deepEqual(placesOf(await load({ repo: ['option', './more'] }, environment)), ['option', 'more'])
    assert.deepEqual(placesOf(await load({}, environment)), ['variable'])
    const configured = await load({})
    assert.deepEqual(placesOf(configured), ['configured'])
    assert.deepEqual([configured.jobs, configured.pgDump], [7, { path: join(directory, 'pg_dump') }])
  })

  it('know repositories by the names of pgrevive.yaml, and take all of them when none is named', async () => {
    const config = 'several.yaml'
    const all = await load({ config })
    assert.deepEqual(placesOf(all), ['here', 'there'])
    assert.deepEqual(
      all.repositories.map(({ name, keyFiles }) => [name, ...keyFiles]),
      [
        ['local', join(directory, 'usual.key')],
        ['offsite', join(directory, 'offsite.key')],
      ],
    )
    assert.throws(() => requireRepository(all), { code: 'usage-invalid', hint: /local, offsite/ })
    assert.equal(requireRepository(await load({ config, repo: ['offsite'] })).name, 'offsite')
    assert.deepEqual(placesOf(await load({ config, repo: ['./offsite'] })), ['offsite'])
    for (const repo of [
      ['here', 'local'],
      ['local', 'local'],
    ])
      await assert.rejects(load({ config, repo }), { code: 'usage-invalid' })
    await assert.rejects(load({ config: 'both.yaml' }), { code: 'config-invalid', message: /exclude each other/ })
  })

  it('read the configuration that is named instead of the usual one', async () => {
    const named = await load({}, { PGREVIVE_CONFIG: 'other.yaml' })
    assert.throws(() => requireRepository(named), { code: 'usage-invalid' })
    const { repositories } = await load({ repo: ['x'], config: 'other.yaml' })
    assert.deepEqual(repositories[0]?.keyFiles, [join(directory, 'other.key')])
    await assert.rejects(load({ config: 'missing.yaml' }), { code: 'config-invalid' })
  })

  it('limit what goes over the wire, by an option, a variable or pgrevive.yaml', async () => {
    await writeFile(join(directory, 'limits.yaml'), 'limit_upload: 5MB\nlimit_download: 2000\n')
    const limitsOf = async (...args: Parameters<typeof load>) => {
      const { upload, download } = (await load(...args)).limits
      return [upload?.bytesPerSecond, download?.bytesPerSecond]
    }
    const variables = { PGREVIVE_CONFIG: 'limits.yaml', PGREVIVE_LIMIT_UPLOAD: '1MiB' }
    assert.deepEqual(await limitsOf({}), [undefined, undefined])
    assert.deepEqual(await limitsOf({ config: 'limits.yaml' }), [5_000_000, 2000])
    assert.deepEqual(await limitsOf({}, variables), [1_048_576, 2000])
    assert.deepEqual(await limitsOf({ limitUpload: 3000 }, variables), [3000, 2000])
    await assert.rejects(limitsOf({}, { PGREVIVE_LIMIT_DOWNLOAD: '10 Mbit' }), {
      code: 'usage-invalid',
      message: /PGREVIVE_LIMIT_DOWNLOAD must be bytes per second/,
    })
    await writeFile(join(directory, 'limits.yaml'), 'limit_upload: 5Mbit\nlimit_download: 20\n')
    await assert.rejects(load({ config: 'limits.yaml' }), {
      code: 'config-invalid',
      message: /at least 1kB[^]*limit_download/,
    })
  })

  it('need no configuration', async () => {
    const { config, jobs } = await load({}, {}, '/')
    assert.equal(config, undefined)
    assert.ok(jobs >= 1 && jobs <= 4)
  })

  it('understand where a repository is, and refuse what they do not know instead of making a directory of that name', async () => {
    assert.equal(requireRepository(await load({ repo: ['s3://bucket/x'] })).place.kind, 's3')
    assert.deepEqual(requireRepository(await load({ repo: ['file:///a%20b'] })).place, {
      kind: 'directory',
      path: '/a b',
    })
    for (const repo of ['ftp://host/x', 's3:///x', 'file://host/x'])
      await assert.rejects(load({ repo: [repo] }), { code: 'usage-invalid' })
  })
})
