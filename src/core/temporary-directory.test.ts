import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, rmdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { createTemporaryDirectory, sweepTemporaryDirectories } from './temporary-directory.ts'

const moduleUrl = JSON.stringify(import.meta.resolve('./temporary-directory.ts'))
const mayUnshare = process.platform === 'linux' && process.geteuid?.() === 0

describe('a temporary directory', () => {
  let parent: string
  before(async () => {
    parent = await mkdtemp('/tmp/pgrevive-test-')
  })
  after(() => rm(parent, { recursive: true }))

  /** What a process that was killed has left; nobody else finds it before it is `shown`. */
  async function abandon() {
    const { child, path, elsewhere } = await startOwner()
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    const hidden = path.replace(/(?<=^\/tmp\/pgrevive-test-)[0-9a-f]{6}/, '000000')
    await rename(path, hidden)
    await ended
    return { path, elsewhere, hidden, show: () => rename(hidden, path) }
  }

  async function startOwner() {
    const script = `
      const { createTemporaryDirectory } = await import(${moduleUrl})
      const directory = await createTemporaryDirectory('test')
      const elsewhere = await directory.createElsewhere(${JSON.stringify(parent)})
      console.log(JSON.stringify({ path: directory.path, elsewhere }))
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = await once(child.stdout, 'data')
    const { path, elsewhere }: { path: string; elsewhere: string } = JSON.parse(String(line))
    return { child, path, elsewhere }
  }

  const sweep = () => sweepTemporaryDirectories(() => Promise.resolve())
  const isThere = ({ path, elsewhere }: { path: string; elsewhere: string }) => [path, elsewhere].map(existsSync)

  it('is gone after disposal, with the one elsewhere', async () => {
    const directory = await createTemporaryDirectory('test')
    const made = { path: directory.path, elsewhere: await directory.createElsewhere(parent) }
    await writeFile(join(made.elsewhere, 'file'), 'x')
    await sweep()
    assert.deepEqual(isThere(made), [true, true])
    await directory[Symbol.asyncDispose]()
    assert.deepEqual(isThere(made), [false, false])
  })

  it('of a killed process is removed by a sweep, that of a living one is not', async () => {
    const [killed, living] = await Promise.all([abandon(), startOwner()])
    await killed.show()
    await sweep()
    assert.deepEqual(isThere(killed), [false, false])
    assert.deepEqual(isThere(living), [true, true])
    living.child.kill('SIGKILL')
    await once(living.child, 'exit')
    await sweep()
    assert.deepEqual(isThere(living), [false, false])
  })

  it('is removed whole if its owner was killed before it had made the one elsewhere', async () => {
    const killed = await abandon()
    await rmdir(killed.elsewhere)
    await killed.show()
    await sweep()
    assert.deepEqual(isThere(killed), [false, false])
  })

  it(
    'is left alone by who can not see the process ids of its owner, as in another container',
    { skip: !mayUnshare && 'needs root to make a namespace of process ids' },
    async () => {
      await using directory = await createTemporaryDirectory('test')
      const script = `
        const { sweepTemporaryDirectories } = await import(${moduleUrl})
        await sweepTemporaryDirectories(async () => {})`
      const inner = [process.execPath, '--input-type=module', '-e', script]
      await promisify(execFile)('unshare', ['--pid', '--fork', '--mount-proc', ...inner])
      assert.equal(existsSync(directory.path), true)
    },
  )

  it('is removed without what a link leads to that somebody has put in the place of the one elsewhere', async () => {
    const killed = await abandon()
    const precious = join(parent, 'precious')
    await mkdir(precious)
    await rmdir(killed.elsewhere)
    await symlink(precious, killed.elsewhere)
    await killed.show()
    await sweep()
    assert.deepEqual([...isThere(killed), existsSync(precious)], [false, false, true])
    await rmdir(precious)
  })

  it('of another machine is left alone', async () => {
    const killed = await abandon()
    await sweep()
    assert.equal(existsSync(killed.hidden), true)
    await killed.show()
    await sweep()
    assert.deepEqual(isThere(killed), [false, false])
    assert.deepEqual(await readdir(parent), [])
  })
})
