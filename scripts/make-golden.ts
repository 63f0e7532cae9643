/**
 * Makes the golden repositories of this version, golden/<version>-key and golden/<version>-passphrase, which every later
 * version must be able to read. Run it once for a release that writes something new: `npm run golden`. Needs psql.
 */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { withDatabase } from '../src/postgres/target/connection-target.ts'
import { loadSql, startTestServer } from '../src/postgres/server/test-server.ts'
import { type Expected, digestDatabase, goldenDatabase, goldenFolder } from '../src/cli/commands/test-golden.ts'
import { TestHost, initDocument } from '../src/cli/commands/test-host.ts'
import { toolVersion, version } from '../src/core/tool-version.ts'

const passphrase = 'the golden one'

for (const kind of ['key', 'passphrase'] as const) {
  const folder = `${goldenFolder}${version}-${kind}`
  await mkdir(folder) // fails if it is there: what was released stays as it is
  await using server = await startTestServer()
  await using plain = await TestHost.create(server)
  const host = kind === 'key' ? plain : plain.with({ PGREVIVE_PASSPHRASE: passphrase })
  await loadSql(server.target, "CREATE DATABASE golden TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'")
  const golden = withDatabase(server.target, 'golden')
  await loadSql(golden, goldenDatabase)
  const { kitFile } = await host.document(initDocument, 'init', ...(kind === 'passphrase' ? ['--passphrase'] : []))

  const backUp = async (): Promise<Expected['backups'][number]> => {
    const { id } = await host.backUp('postgres:///golden')
    await using connection = await server.connect('golden')
    return { id, digests: await digestDatabase(connection) }
  }
  const first = await backUp()
  await host.succeed('prove')
  await loadSql(
    golden,
    `UPDATE "values" SET missing = 'no more'; DELETE FROM empty; INSERT INTO ages VALUES (99, 'later')`,
  )
  const second = await backUp()
  await host.succeed('prove')

  const expected: Expected = {
    tool: toolVersion,
    ...(kind === 'passphrase' ? { passphrase } : {}),
    backups: [first, second],
  }
  await writeFile(`${folder}/expected.json`, `${JSON.stringify(expected, null, 2)}\n`)
  if (kind === 'key') await writeFile(`${folder}/recovery-kit.txt`, await readFile(kitFile))
  await cp(host.path('backups'), `${folder}/repository`, { recursive: true })
  await rm(`${folder}/repository/tmp`, { recursive: true, force: true })
}
