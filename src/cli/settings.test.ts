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
    assert.deepEqual((await load({ repo: 'option' }, environment)).repository, {
      kind: 'directory',
      path: join(directory, 'option'),
    })
    assert.deepEqual((await load({}, environment)).repository, { kind: 'directory', path: join(directory, 'variable') })
    const { repository, jobs, pgDump } = await load({})
    assert.deepEqual(
      { repository, jobs, pgDump },
      {
        repository: { kind: 'directory', path: join(directory, 'configured') },
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

  it('understand where a repository is, and refuse what they do not know instead of making a directory of that name', async () => {
    const { repository } = await load({ repo: 's3://bucket/x' })
    assert.equal(repository?.kind, 's3')
    assert.deepEqual((await load({ repo: 'file:///a%20b' })).repository, { kind: 'directory', path: '/a b' })
    for (const repo of ['ftp://host/x', 's3:///x', 'file://host/x'])
      await assert.rejects(load({ repo }), { code: 'usage-invalid' })
  })
})
