import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, cp, lstat, mkdtemp, readFile, readdir, readlink, realpath, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { hasCode } from '../../core/app-error.ts'
import { processStartTime } from '../../core/process-start-time.ts'
import { Connection } from '../wire/connection.ts'
import { removeLeftovers } from './leftovers.ts'
import { startScratchServer, type ScratchServer } from './scratch-server.ts'
import { chooseServerBinaries, findServerBinaries, type ServerBinaries } from './server-binaries.ts'

const environment = process.env
const isLinux = process.platform === 'linux'
const isRoot = process.geteuid?.() === 0
const all = await findServerBinaries({ environment })
const binaries = await chooseServerBinaries(15, { environment })

/** What a server leaves, so that a test can look for it after the server's end. */
async function tracesOf(server: Pick<ScratchServer, 'directory' | 'processId'>) {
  const dataDirectory = await realpath(join(server.directory, 'data'))
  return async () => ({
    process: (await processStartTime(server.processId)) !== undefined,
    directory: existsSync(server.directory),
    dataDirectory: existsSync(dataDirectory),
  })
}
const nothing = { process: false, directory: false, dataDirectory: false }

async function answer(server: ScratchServer, sql: string) {
  await using connection = await Connection.connect(server.target)
  return (await connection.query(sql))[0]?.[0]
}

describe('a scratch server', () => {
  for (const each of all) {
    it(`of PostgreSQL ${each.version}, ${each.source}, starts, answers and leaves nothing`, async () => {
      const server = await startScratchServer({ binaries: each, environment })
      const traces = await tracesOf(server)
      assert.equal((await answer(server, 'SHOW server_version'))?.split(' ')[0], each.version)
      assert.deepEqual(await traces(), { process: true, directory: true, dataDirectory: true })
      await server[Symbol.asyncDispose]()
      assert.deepEqual(await traces(), nothing)
    })
  }

  it('runs beside another, without a port and under its own settings', async () => {
    const start = (settings?: Record<string, string>) => startScratchServer({ binaries, settings, environment })
    const servers = await Promise.all([start(), start({ work_mem: '5MB', 'demo.quoted': `it's a \\ and\na line` })])
    await using first = servers[0]
    await using second = servers[1]
    assert.equal(await answer(first, 'SHOW work_mem'), '4MB')
    assert.equal(await answer(second, 'SHOW work_mem'), '5MB')
    assert.equal(await answer(second, 'SHOW demo.quoted'), `it's a \\ and\na line`)
    assert.equal(await answer(second, 'SHOW listen_addresses'), '')
    assert.match(await first.log(), /ready to accept connections/)
  })

  it('lets nobody in without the password', async () => {
    await using server = await startScratchServer({ binaries, environment })
    const stranger = { ...server.target, password: () => 'guessed' }
    await assert.rejects(Connection.connect(stranger), (error) => hasCode(error, 'authentication-failed'))
  })

  it('stops while a statement runs', async () => {
    const server = await startScratchServer({ binaries, environment })
    const connection = await Connection.connect(server.target)
    const statement = assert.rejects(connection.query('SELECT pg_sleep(60)'))
    await delay(50)
    await server[Symbol.asyncDispose]()
    await statement
  })

  it('that does not start says why, in the words of PostgreSQL, and leaves nothing', async () => {
    const start = startScratchServer({ binaries, settings: { shared_buffers: 'plenty' }, environment })
    await assert.rejects(start, (error) => hasCode(error, 'postgres-start-failed') && /plenty/.test(error.message))
    const initdb = startScratchServer({ binaries, initdbArguments: ['--wal-segsize=3'], environment })
    await assert.rejects(initdb, (error) => hasCode(error, 'postgres-start-failed') && /power of 2/.test(error.message))
    assert.deepEqual(await leftByThisProcess(), [])
  })

  it('is not started once the signal has been aborted, and leaves nothing', async () => {
    const signal = AbortSignal.timeout(300)
    await assert.rejects(startScratchServer({ binaries, environment, signal }), { name: 'TimeoutError' })
    assert.deepEqual(await leftByThisProcess(), [])
  })

  it('can have its cluster elsewhere, at a path too long for a socket', async () => {
    const parentDirectory = await mkdtemp(`/tmp/pgrevive-${'long'.repeat(20)}-`)
    await chmod(parentDirectory, 0o755)
    {
      await using server = await startScratchServer({ binaries, parentDirectory, environment })
      assert.equal(await answer(server, 'SELECT 1'), '1')
      assert.equal(dirname(await readlink(join(server.directory, 'data'))), parentDirectory)
    }
    await rmdir(parentDirectory)
  })
})

describe('a scratch server and its owner', () => {
  it('end together when the owner is killed, and the next start removes what is left', async () => {
    await using owner = await startOwner([process.execPath])
    const traces = await tracesOf(owner)
    owner.kill()
    await untilTrue(async () => !(await traces()).process)
    await using _next = await startScratchServer({ binaries, environment })
    assert.deepEqual(await traces(), nothing)
  })

  it(
    'end together if the watcher is killed as well: by the next sweep',
    { skip: !isLinux && 'needs /proc' },
    async () => {
      await using owner = await startOwner([process.execPath])
      const traces = await tracesOf(owner)
      for (const id of await watchersOf(owner.processId)) process.kill(id, 'SIGKILL')
      owner.kill()
      await delay(200)
      assert.equal((await traces()).process, true)
      await removeLeftovers()
      assert.deepEqual(await traces(), nothing)
    },
  )

  it('are left alone by a sweep while they live', async () => {
    await using owner = await startOwner([process.execPath])
    const traces = await tracesOf(owner)
    assert.equal((await removeLeftovers()).removed.includes(owner.directory), false)
    assert.deepEqual(await traces(), { process: true, directory: true, dataDirectory: true })
    await owner.leave()
    assert.deepEqual(await traces(), nothing)
  })

  it(
    'may be an ordinary user, who can be killed too',
    { skip: !isRoot && 'needs root to become another' },
    async () => {
      const asNobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', process.execPath]
      await using left = await startOwner(asNobody)
      const traces = await tracesOf(left)
      await left.leave()
      assert.deepEqual(await traces(), nothing)
      await using killed = await startOwner(asNobody)
      const tracesOfKilled = await tracesOf(killed)
      killed.kill()
      await untilTrue(async () => !(await tracesOfKilled()).process)
      await removeLeftovers()
      assert.equal((await tracesOfKilled()).directory, true, 'another user must not remove it')
      await using sweeper = await startOwner(asNobody)
      assert.deepEqual(await tracesOfKilled(), nothing)
      await sweeper.leave()
    },
  )
})

describe('an embedded package', () => {
  it('is given the links that npm did not make', async () => {
    await using copy = await copyPackage('/tmp')
    if (isRoot) await chmod(copy.parent, 0o755)
    await using server = await startScratchServer({ binaries: copy.binaries, environment })
    assert.equal(await answer(server, 'SELECT 1'), '1')
    assert.equal(existsSync(join(copy.binaries.directory, '..', 'lib', 'libpq.so.5')), true)
    assert.equal(existsSync(join(server.directory, 'postgres')), false)
  })

  it('is copied if the user of the server can not read it', { skip: !isRoot && 'needs root' }, async () => {
    await using copy = await copyPackage('/tmp')
    await using server = await startScratchServer({ binaries: copy.binaries, environment })
    assert.equal(await answer(server, 'SELECT 1'), '1')
    assert.equal(existsSync(join(server.directory, 'postgres', 'bin', 'postgres')), true)
  })
})

/** A process that starts a server and waits; it ends in good order when its input does. */
async function startOwner([program = '', ...rest]: readonly string[]) {
  const script = `
    const { startScratchServer } = await import(${JSON.stringify(import.meta.resolve('./scratch-server.ts'))})
    await using server = await startScratchServer({ binaries: ${JSON.stringify(binaries)}, environment: process.env })
    console.log(JSON.stringify({ directory: server.directory, processId: server.processId }))
    for await (const _ of process.stdin);`
  const child = spawn(program, [...rest, '--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = await once(child.stdout, 'data')
  const { directory, processId }: Pick<ScratchServer, 'directory' | 'processId'> = JSON.parse(String(line))
  const end = async (how: () => unknown) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    how()
    await once(child, 'exit')
  }
  return {
    directory,
    processId,
    kill: () => child.kill('SIGKILL'),
    leave: () => end(() => child.stdin.end()),
    [Symbol.asyncDispose]: () => end(() => child.kill('SIGKILL')),
  }
}

/** The embedded package of PostgreSQL 15 as npm unpacks it, in a directory that only this user can read. */
async function copyPackage(directory: string) {
  const embedded = all.find(({ source }) => source === 'embedded')
  assert.ok(embedded)
  const parent = await mkdtemp(join(directory, 'pgrevive-package-'))
  const filter = async (path: string) => !(await lstat(path)).isSymbolicLink()
  await cp(dirname(embedded.directory), join(parent, 'native'), { recursive: true, filter })
  const copied: ServerBinaries = { ...embedded, directory: join(parent, 'native', 'bin') }
  return { parent, binaries: copied, [Symbol.asyncDispose]: () => rm(parent, { recursive: true }) }
}

/** The shells that end a server with its owner. */
async function watchersOf(serverId: number): Promise<number[]> {
  const ids = (await readdir('/proc')).map(Number).filter((id) => id > 0)
  const watching = await Promise.all(
    ids.map(async (id) => {
      const command = await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')
      return command.endsWith(`\0${serverId}\0`) && command.includes('kill -QUIT') ? [id] : []
    }),
  )
  assert.equal(watching.flat().length, 1)
  return watching.flat()
}

async function leftByThisProcess(): Promise<string[]> {
  return (await readdir('/tmp')).filter(
    (name) => name.startsWith('pgrevive-scratch-') && name.includes(`-${process.pid}-`),
  )
}

async function untilTrue(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, 'did not come true within 10 s')
    await delay(20)
  }
}
