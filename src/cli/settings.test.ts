import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { loadSettings, requireRepository } from './settings.ts'

describe('settings', () => {
  let directory = ''
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pgrevive-settings-'))
    await writeFile(join(directory, 'pgrevive.yaml'), 'repository: ./configured\njobs: 7\npg_dump: ./pg_dump\n')
    await writeFile(join(directory, 'other.yaml'), 'key_file: other.key\n')
  })
  after(() => rm(directory, { recursive: true }))

  const load = (
    options: Parameters<typeof loadSettings>[0],
    environment: Record<string, string> = {},
    at = directory,
  ) => loadSettings(options, { environment, currentDirectory: at, homeDirectory: '/home/ann' })

  it('take an option before a variable, and a variable before pgrevive.yaml', async () => {
    const environment = { PGREVIVE_REPO: 'variable' }
    assert.equal((await load({ repo: 'option' }, environment)).repository, join(directory, 'option'))
    assert.equal((await load({}, environment)).repository, join(directory, 'variable'))
    const { repository, jobs, pgDump } = await load({})
    assert.deepEqual(
      { repository, jobs, pgDump },
      {
        repository: join(directory, 'configured'),
        jobs: 7,
        pgDump: { path: join(directory, 'pg_dump') },
      },
    )
  })

  it('read the configuration that is named instead of the usual one', async () => {
    const named = await load({}, { PGREVIVE_CONFIG: 'other.yaml' })
    assert.equal(named.keyFile, join(directory, 'other.key'))
    assert.throws(() => requireRepository(named), { code: 'usage-invalid' })
    await assert.rejects(load({ config: 'missing.yaml' }), { code: 'config-invalid' })
  })

  it('need no configuration', async () => {
    const { config, jobs } = await load({}, {}, '/')
    assert.equal(config, undefined)
    assert.ok(jobs >= 1 && jobs <= 4)
  })

  it('refuse a repository that is not a directory, instead of making one of that name', async () => {
    await assert.rejects(load({ repo: 's3://bucket/x' }), { code: 'usage-invalid' })
  })
})
