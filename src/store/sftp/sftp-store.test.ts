import assert from 'node:assert/strict'
import { execFile, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { AppError, type ErrorCode, hasCode } from '../../core/app-error.ts'
import { DirectoryStore } from '../directory/directory-store.ts'
import { largestObjectBytes } from '../keys.ts'
import type { ObjectStore } from '../object-store.ts'
import { describeStoreContract } from '../test-store-contract.ts'
import { parseSftpPlace } from './sftp-place.ts'
import { SftpStore } from './sftp-store.ts'
import { type TestSftpOptions, TestSftpServer } from './test-sftp-server.ts'

const server = await TestSftpServer.start()
const skip = typeof server === 'string' ? server : undefined
after(() => (typeof server === 'string' ? undefined : server[Symbol.asyncDispose]()))

const isRoot = process.platform === 'linux' && process.geteuid?.() === 0

function running(): TestSftpServer {
  assert.ok(typeof server !== 'string')
  return server
}

/** Another server, for tests that change what it is or what becomes of it. */
async function startOwn(options: TestSftpOptions = {}): Promise<TestSftpServer> {
  const own = await TestSftpServer.start(options)
  assert.ok(typeof own !== 'string')
  return own
}

async function keysOf(store: ObjectStore): Promise<string[]> {
  return (await Array.fromAsync(store.list(''))).map(({ key }) => key)
}

/** What it fails with has the code, says why, and what to do. */
async function fails(call: () => Promise<unknown>, code: ErrorCode, message: RegExp, hint: RegExp): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof AppError, String(error))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    assert.match(error.hint ?? '', hint)
    return true
  })
}

let places = 0
describeStoreContract(
  'an SFTP store',
  async () => {
    const { surroundings } = running()
    const place = running().place(`contract-${++places}/a`)
    return {
      store: await SftpStore.create(place, { surroundings }),
      other: await SftpStore.open(place, { surroundings }),
    }
  },
  { skip },
)

describe('an SFTP store', { timeout: 120_000, ...(skip !== undefined && { skip }) }, () => {
  it('is laid out as a directory store, and leaves nothing temporary behind', async () => {
    const store = await SftpStore.create(running().place('same'), running())
    for (const key of ['packs/b/2', 'packs/a/1', 'config']) await store.put(key, [Buffer.from(key)])
    await store.delete('config')
    await store.now()
    assert.deepEqual(await readdir(join(running().directory, 'same', 'tmp')), [])
    const directory = await DirectoryStore.open(join(running().directory, 'same'))
    assert.deepEqual(await keysOf(directory), await keysOf(store))
    assert.equal((await directory.get('packs/a/1')).toString(), 'packs/a/1')
  })

  it('begins where a login leads, if the URL says so', async () => {
    const directory = running().directory
    await using own = await startOwn({ program: `internal-sftp -d ${directory}` })
    const store = await SftpStore.create(own.place('/~/home/of all'), own)
    assert.equal(store.location, own.url('/~/home/of%20all'))
    await store.put('r/object', [Buffer.from('x')])
    assert.equal(await readFile(join(directory, 'home/of all/r/object'), 'utf8'), 'x')
    const whole = await SftpStore.open(own.place('/~/'), own)
    assert.ok((await keysOf(whole)).includes('home/of all/r/object'))
  })

  it('works with a server that knows no extensions', async () => {
    await using own = await startOwn({ program: 'internal-sftp -P fsync,posix-rename,statvfs,limits' })
    const store = await SftpStore.create(own.place('plain'), own)
    for (const text of ['one', 'other']) {
      await store.put('r/object', [Buffer.from(text)])
      assert.equal((await store.get('r/object')).toString(), text)
    }
    await store.put('r/large', [Buffer.alloc(5_000_000, 'large')])
    assert.ok((await store.get('r/large')).equals(Buffer.alloc(5_000_000, 'large')))
    await store.delete('r/large')
    assert.deepEqual(await keysOf(store), ['r/object'])
    assert.ok(Math.abs((await store.now()).getTime() - Date.now()) < 60_000)
  })

  it('works in the cage of a hoster', { skip: !isRoot && 'only root may start such a server' }, async () => {
    // nobody else may write to it or above it
    const cage = await mkdtemp('/run/pgrevive-sftp-')
    await using cleanup = new AsyncDisposableStack()
    cleanup.defer(() => rm(cage, { recursive: true }))
    await chmod(cage, 0o755)
    await mkdir(join(cage, 'data'))
    await using own = await startOwn({ chroot: cage })
    const store = await SftpStore.create(own.place('/data/shop'), own)
    await store.put('r/object', [Buffer.from('x')])
    assert.equal(await readFile(join(cage, 'data/shop/r/object'), 'utf8'), 'x')
  })

  it('says that the folder is not there, or is none', async () => {
    const open = (path: string) => SftpStore.open(running().place(path), running())
    await fails(() => open('nowhere'), 'store-missing', /nowhere does not exist/, /home directory/)
    await writeFile(join(running().directory, 'file'), '')
    await fails(() => open('file'), 'store-missing', /is not a folder/, /--repo/)
    await fails(() => open('file/deeper'), 'store-missing', /does not exist/, /path/)
  })

  it('says that somebody has no right', async () => {
    const folder = running().place('rights')
    const store = await SftpStore.create(folder, running())
    await store.put('r/object', [Buffer.from('x')])
    await using own = await startOwn({ program: 'internal-sftp -R' })
    const reader = await SftpStore.open(own.place(join(running().directory, 'rights')), own)
    assert.equal((await reader.get('r/object')).toString(), 'x')
    for (const call of [() => reader.put('r/2', []), () => reader.delete('r/object'), () => reader.now()])
      await fails(call, 'store-denied', /no permission for/, /owns/)
    assert.deepEqual(await keysOf(store), ['r/object'])
  })

  it(
    'says that a disk is full, and leaves the old object alone',
    { skip: !isRoot && 'only root may mount' },
    async () => {
      const path = join(running().directory, 'full')
      await mkdir(path)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path])
      try {
        const store = await SftpStore.open(running().place('full'), running())
        await store.put('index/one', [Buffer.from('before')])
        await fails(
          () => store.put('index/one', [Buffer.alloc(1 << 20)]),
          'store-full',
          /no space left/,
          /run the same/,
        )
        assert.equal((await store.get('index/one')).toString(), 'before')
        assert.deepEqual(await readdir(join(path, 'tmp')), [])
        await store.delete('index/one')
      } finally {
        execFileSync('umount', ['--lazy', path])
      }
    },
  )

  it('says object-damaged of what is no file or too large, and reads neither', async () => {
    const path = join(running().directory, 'odd')
    const store = await SftpStore.create(running().place('odd'), running())
    await mkdir(join(path, 'r'))
    await writeFile(join(path, 'r/huge'), '')
    await truncate(join(path, 'r/huge'), largestObjectBytes + 1)
    execFileSync('mkfifo', [join(path, 'r/pipe')])
    for (const key of ['r/pipe', 'r/huge']) await assert.rejects(store.get(key), { code: 'object-damaged' })
    const [objects = []] = await Array.fromAsync(store.readFolder('r/', { wanted: () => true }))
    assert.deepEqual(
      objects.map(({ key, bytes }) => [key, hasCode(bytes, 'object-damaged')]),
      [['r/huge', true]],
    )
  })

  it('removes what a dead writer left, and only that', async () => {
    const folder = join(running().directory, 'abandoned', 'tmp')
    const store = await SftpStore.create(running().place('abandoned'), running())
    await mkdir(folder)
    const named = (digit: number) => `pgrevive-${String(digit).repeat(24)}`
    for (const [name, hours] of Object.entries({
      [named(0)]: -25,
      [named(1)]: -23,
      [named(2)]: 25,
      'notes.txt': -99,
    })) {
      await writeFile(join(folder, name), 'x')
      const time = new Date(Date.now() + hours * 3600 * 1000)
      await utimes(join(folder, name), time, time)
    }
    assert.equal(await store.removeAbandoned(), 2)
    assert.deepEqual((await readdir(folder)).toSorted(), ['notes.txt', named(1)])
  })

  describe('goes on', () => {
    const content = Buffer.alloc(20_000_000, 'content ')

    it('when the server is killed in the middle of an upload, and starts again', async () => {
      await using own = await startOwn()
      const store = await SftpStore.create(own.place('killed'), own)
      const putting = store.put('r/object', [content])
      await isWriting(join(own.directory, 'killed', 'tmp'))
      await own.kill()
      await delay(200)
      await own.listen()
      await putting
      assert.ok((await store.get('r/object')).equals(content))
      assert.deepEqual(await keysOf(store), ['r/object'])
    })

    it('when the server says nothing any more', async () => {
      await using own = await startOwn()
      const store = await SftpStore.create(own.place('frozen'), { surroundings: own.surroundings, silenceMs: 500 })
      await store.put('r/object', [content])
      await own.freeze()
      assert.ok((await store.get('r/object')).equals(content))
      await own.freeze()
      await store.put('r/other', [content])
      assert.deepEqual(await keysOf(store), ['r/object', 'r/other'])
    })

    it('while the server is away, says so once, and gives up in the end', async () => {
      await using own = await startOwn()
      const told: string[] = []
      const options = {
        surroundings: own.surroundings,
        laterMs: 1000,
        tellMs: 100,
        onTrouble: (text: string) => told.push(text),
      }
      const store = await SftpStore.create(own.place('away'), options)
      await own.kill()
      const later = store.put('r/object', [content])
      setTimeout(() => void own.listen(), 400)
      await later
      await own.kill()
      await fails(() => store.get('r/object'), 'store-unreachable', /can not be reached/, /what was stored is safe/)
      assert.equal(told.length, 2)
      for (const text of told) assert.match(text, /^sftp:.*ECONNREFUSED.*; trying again for up to 1 min$/)
    })

    it('until it is told to stop', async () => {
      await using own = await startOwn()
      const store = await SftpStore.create(own.place('stop'), own)
      await store.put('r/object', [content])
      await own.freeze()
      const reason = new Error('enough')
      for (const call of [
        (signal: AbortSignal) => store.get('r/object', { signal }),
        (signal: AbortSignal) => store.put('r/other', [content], { signal }),
        (signal: AbortSignal) => Array.fromAsync(store.list('', { signal })),
      ]) {
        const stop = new AbortController()
        setTimeout(() => stop.abort(reason), 100)
        await assert.rejects(call(stop.signal), reason)
      }
      await own.thaw()
      assert.ok((await store.get('r/object')).equals(content))
    })
  })

  describe('looks at the host key, and says', () => {
    /** With the known hosts that `change` makes of the right ones. */
    const open = async (change: (line: string) => string, more = '') => {
      await using own = await startOwn()
      const path = join(own.home, '.ssh', 'known_hosts')
      await writeFile(path, change(await readFile(path, 'utf8')))
      await SftpStore.create(own.place('x', more.replace('FILE', path)), own)
    }
    const otherKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJUNKJUNKJUNKJUNKJUNKJUNKJUNKJUNKJUNKJUNKJUN'

    it('that a host is not known, and how to add it', async () => {
      const unknown = [
        /not known; it shows ssh-ed25519 SHA256:/,
        /ssh-keyscan -p \d+ 127.0.0.1 >> .*known_hosts$/,
      ] as const
      await fails(() => open(() => ''), 'store-untrusted', ...unknown)
      await fails(() => open((line) => line.replace(/:\d+/, ':22')), 'store-untrusted', ...unknown)
      await fails(() => open((line) => `# ${line}`), 'store-untrusted', ...unknown)
    })

    it('that it has changed, and that nothing was sent', async () => {
      const changed = [/IS NOT THE ONE THAT IS KNOWN/, /nothing was sent.*ssh-keygen -R '\[127/] as const
      const withOther = (line: string) => line.replace(/ssh-ed25519 \S+/, otherKey)
      await fails(() => open(withOther), 'store-untrusted', ...changed)
      await fails(() => open((line) => `${line}@revoked ${line}`), 'store-untrusted', ...changed)
      await fails(() => open((line) => line, `?host_key=SHA256:${'a'.repeat(43)}`), 'store-untrusted', ...changed)
      await open((line) => `${withOther(line)}${line}`)
    })

    it('nothing when the URL names the right key, or a file that holds it, hashed or not', async () => {
      await open((line) => line, '?known_hosts=FILE')
      await using own = await startOwn()
      const path = join(own.home, '.ssh', 'known_hosts')
      await promisify(execFile)('ssh-keygen', ['-H', '-f', path])
      assert.match(await readFile(path, 'utf8'), /^\|1\|/)
      await SftpStore.create(own.place('hashed'), own)
      await rm(path)
      const listed = await promisify(execFile)('ssh-keygen', ['-l', '-f', join(own.home, 'host_key.pub')])
      const [, fingerprint] = listed.stdout.split(' ')
      const store = await SftpStore.create(own.place('pinned', `?host_key=${fingerprint}`), own)
      assert.deepEqual(parseSftpPlace(store.location), own.place('pinned', `?host_key=${fingerprint}`))
      const missing = () => SftpStore.open(own.place('hashed', `?known_hosts=${path}`), own)
      await fails(missing, 'store-untrusted', /known hosts .* can not be read/, /permissions/)
    })
  })

  describe('logs in', () => {
    const open = async (own: TestSftpServer, environment: Record<string, string> = {}, more = '') =>
      SftpStore.create(own.place('x', more), { surroundings: { environment, homeDirectory: own.home } })

    it('with a key that is named, of an agent, or encrypted', async () => {
      await using own = await startOwn()
      const key = join(own.home, '.ssh', 'id_ed25519')
      await open(own, {}, '?identity=~/.ssh/id_ed25519')
      await promisify(execFile)('ssh-keygen', ['-q', '-p', '-P', '', '-N', 'open sesame', '-f', key])
      await fails(
        () => open(own),
        'store-denied',
        /no key or password.*id_ed25519 \(it is encrypted/,
        /PASSPHRASE_FILE/,
      )
      await open(own, { PGREVIVE_SFTP_PASSPHRASE: 'open sesame' })
      await writeFile(join(own.home, 'passphrase'), 'open sesame\n')
      await open(own, { PGREVIVE_SFTP_PASSPHRASE_FILE: join(own.home, 'passphrase') })
      await fails(
        () => open(own, { PGREVIVE_SFTP_PASSPHRASE: 'wrong' }),
        'store-denied',
        /passphrase is wrong/,
        /PASSPHRASE_FILE/,
      )
      const agent = execFile('ssh-agent', ['-D', '-a', join(own.home, 'agent')])
      try {
        const environment = { SSH_AUTH_SOCK: join(own.home, 'agent') }
        await promisify(execFile)('ssh-keygen', ['-q', '-p', '-P', 'open sesame', '-N', '', '-f', key])
        await promisify(execFile)('ssh-add', ['-q', key], { env: { ...process.env, ...environment } })
        await rm(key)
        await open(own, environment)
        await fails(() => open(own, {}), 'store-denied', /no key or password to log in/, /authorized_keys/)
      } finally {
        agent.kill()
      }
      await fails(() => open(own, { SSH_AUTH_SOCK: '/nowhere' }), 'store-denied', /in with the SSH agent/, /SSH agent/)
    })

    it('not with another key, or a password that is wrong, which nobody gets to see', async () => {
      await using own = await startOwn()
      const other = join(own.home, 'other')
      await promisify(execFile)('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', '', '-f', other])
      const denied = [/does not let .* in with .*other/, /authorized_keys/] as const
      await fails(() => open(own, {}, `?identity=${other}`), 'store-denied', ...denied)
      await rm(join(own.home, '.ssh', 'id_ed25519'))
      await assert.rejects(open(own, { PGREVIVE_SFTP_PASSWORD: 'hush' }), (error) => {
        assert.ok(hasCode(error, 'store-denied'))
        assert.match(error.message, /in with a password/)
        assert.doesNotMatch(JSON.stringify([error.message, error.hint, String(error.cause)]), /hush/)
        return true
      })
    })
  })

  it('says soon that nobody is there, or nobody who speaks SSH, or SFTP', async () => {
    const { surroundings } = running()
    const options = { surroundings, firstMs: 100, connectMs: 500 }
    const at = (url: string) => () => SftpStore.open(parseSftpPlace(url), options)
    await fails(at('sftp://127.0.0.1:1/x'), 'store-unreachable', /can not be reached/, /name, the port/)
    await fails(at('sftp://nobody.invalid/x'), 'store-unreachable', /can not be reached/, /name, the port/)
    for (const answer of ['HTTP/1.1 400 Bad Request\r\n\r\n', '']) {
      const other = createServer((socket) => {
        socket.on('error', () => undefined)
        if (answer !== '') socket.end(answer)
      })
      other.listen(0, '127.0.0.1')
      await once(other, 'listening')
      after(() => other.close())
      const { port } = other.address() as AddressInfo
      const said = answer === '' ? /no login within 0.5 s/ : /before handshake/
      await fails(at(`sftp://127.0.0.1:${port}/x`), 'store-unreachable', said, /does an SSH server answer there/)
    }
    for (const program of ['/bin/false', '/bin/echo welcome to this server']) {
      await using own = await startOwn({ program })
      await fails(() => SftpStore.open(own.place('x'), own), 'store-failed', /offers no SFTP/, /print nothing/)
    }
  })
})

/** Waits until a file there has some content. */
async function isWriting(folder: string): Promise<void> {
  for (;;) {
    const names = await readdir(folder).catch(() => [])
    for (const name of names) if ((await readFile(join(folder, name)).catch(() => '')).length > 0) return
    await delay(1)
  }
}
