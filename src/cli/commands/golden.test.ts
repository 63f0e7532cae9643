import assert from 'node:assert/strict'
import { cp, readFile } from 'node:fs/promises'
import { describe, it } from 'node:test'
import { type TestServer, startTestServer } from '../../postgres/server/test-server.ts'
import { parseKeyFile } from '../../repository/keys/key-file.ts'
import { openRepository } from '../../repository/open-repository.ts'
import { KitShell, lacksKitTools } from '../../restore/test-restore-kit.ts'
import { DirectoryStore } from '../../store/directory/directory-store.ts'
import { type Expected, digestDatabase, goldenFolder, readGolden } from './test-golden.ts'
import { TestHost } from './test-host.ts'

const lacking = await lacksKitTools()

async function openGolden(name: string, { passphrase }: Expected) {
  await using owned = new AsyncDisposableStack()
  const server = owned.use(await startTestServer())
  const host = owned.use(await TestHost.create(server))
  await cp(`${goldenFolder}${name}/repository`, host.path('backups'), { recursive: true })
  const keyFile = `${goldenFolder}${name}/recovery-kit.txt`
  const held = owned.move()
  return {
    server,
    keyFile,
    host: host.with(passphrase === undefined ? { PGREVIVE_KEY_FILE: keyFile } : { PGREVIVE_PASSPHRASE: passphrase }),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

async function digestsOf(server: TestServer, database: string) {
  await using connection = await server.connect(database)
  return await digestDatabase(connection)
}

describe('what released versions have written', { timeout: 600_000 }, async () => {
  for (const [name, expected] of await readGolden()) {
    it(`${name} is sound, comes back as it was, and can be added to`, async () => {
      await using golden = await openGolden(name, expected)
      const { host, server } = golden
      const listed = (await host.list()).map(({ id, proof }) => [id, proof?.outcome])
      assert.deepEqual(listed, expected.backups.map(({ id }) => [id, 'proven']).toReversed())
      // opening a repository with a passphrase is slow on purpose
      const restored = expected.passphrase === undefined ? expected.backups : expected.backups.slice(-1)
      for (const { id, digests } of restored) {
        assert.match(await host.succeed('show', id, '--tables'), /victims/)
        await host.succeed('restore', id, '--to', id.toLowerCase(), '--create-roles')
        assert.deepEqual(await digestsOf(server, id.toLowerCase()), digests)
      }
      await host.backUp(`postgres:///${restored.at(-1)?.id.toLowerCase()}`)
      await host.assertClean({ backups: expected.backups.length + 1 })
    })

    it(`${name} comes back by the restore.py in it`, { skip: lacking }, async () => {
      await using golden = await openGolden(name, expected)
      const { host, server, keyFile } = golden
      const { passphrase } = expected
      const keys = passphrase === undefined ? [parseKeyFile(await readFile(keyFile, 'utf8'))] : []
      const store = await DirectoryStore.open(host.path('backups'))
      await using shell = await KitShell.open(await openRepository(store, { keys, passphrase }))
      const { id, digests } = expected.backups[0] ?? {}
      const { exitCode, stderr } = await shell.run(
        `python3 restore.py globals . ${id} --identity $KEY | psql -Xq -v ON_ERROR_STOP=1 -d postgres &&
         python3 restore.py dump . ${id} --identity $KEY | psql -Xq -d golden`,
        server.target,
      )
      assert.equal(exitCode, 0, stderr)
      assert.deepEqual(await digestsOf(server, 'golden'), digests)
    })
  }
})
