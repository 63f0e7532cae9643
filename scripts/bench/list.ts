import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ulid } from 'ulid'
import { parseKeyFile } from '../../src/repository/keys/key-file.ts'
import { openRepository } from '../../src/repository/open-repository.ts'
import { putRecord } from '../../src/repository/sessions/stored-record.ts'
import type { JsonValue } from '../../src/repository/objects/json-value.ts'
import { DirectoryStore } from '../../src/store/directory/directory-store.ts'
import type { Measurement } from './measure.ts'
import { prepareWorkplace, travel } from './workplace.ts'

/** Lists `count` backups: one that is real, whose record is written again under other ids. */
export async function measureList(count: number): Promise<Measurement> {
  await using bench = await prepareWorkplace(travel(0.05))
  const { folder, run } = bench
  await run('$PGREVIVE init --quiet && $PGREVIVE backup --quiet')
  const keys = join(folder, '.config/pgrevive')
  const [name = ''] = await readdir(keys)
  const key = parseKeyFile(await readFile(join(keys, name), 'utf8'))
  const repository = await openRepository(await DirectoryStore.open(join(folder, 'repository')), { keys: [key] })
  for await (const record of repository.records()) {
    if (record.state === 'damaged') throw record.error
    const body = record.body as JsonValue // as: it came out of JSON
    for (let written = 1; written < count; written++) {
      await putRecord(repository.context, { id: ulid(), checkedAt: record.checkedAt, body })
    }
    break
  }
  process.stderr.write(`list of ${count} …\n`)
  await run('$PGREVIVE list --quiet')
  return await run('$PGREVIVE list --quiet')
}
