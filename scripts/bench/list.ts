import { ulid } from 'ulid'
import { putRecord } from '../../src/repository/sessions/stored-record.ts'
import type { JsonValue } from '../../src/repository/objects/json-value.ts'
import type { Measurement } from './measure.ts'
import { openWorkRepository, prepareWorkplace, travel } from './workplace.ts'

/** Lists `count` backups: one that is real, whose record is written again under other ids. */
export async function measureList(count: number): Promise<Measurement> {
  await using bench = await prepareWorkplace(travel(0.05))
  const { folder, run } = bench
  await run('$PGREVIVE init --quiet && $PGREVIVE backup --quiet')
  const repository = await openWorkRepository(folder)
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
