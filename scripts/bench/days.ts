import { join } from 'node:path'
import { letADayPass } from '../../src/cli/demo/travel-day.ts'
import { sizeOf, type Workplace } from './workplace.ts'

/** What lies in the repositories after the first day, and after the last. */
export interface DailySizes {
  readonly firstBytes: number
  readonly pgreviveBytes: number
  readonly resticFirstBytes?: number
  readonly resticBytes?: number
}

export async function measureDays({ connection, folder, run, has }: Workplace, days: number): Promise<DailySizes> {
  await run('$PGREVIVE init --quiet')
  if (has('restic')) await run('restic init --quiet')
  const sizes = async () => ({
    pgrevive: await sizeOf(join(folder, 'repository')),
    restic: has('restic') ? await sizeOf(join(folder, 'restic')) : undefined,
  })
  let first: Awaited<ReturnType<typeof sizes>> | undefined
  for (let day = 1; day <= days; day++) {
    process.stderr.write(`day ${day} …\n`)
    await run('$PGREVIVE backup --quiet --jobs 2')
    if (has('restic')) await run('pg_dump -Fc -Z0 | restic backup --quiet --stdin --stdin-filename dump')
    first ??= await sizes()
    if (day < days) await letADayPass(connection)
  }
  const last = await sizes()
  return {
    firstBytes: first?.pgrevive ?? NaN,
    pgreviveBytes: last.pgrevive,
    ...(first?.restic === undefined ? {} : { resticFirstBytes: first.restic }),
    ...(last.restic === undefined ? {} : { resticBytes: last.restic }),
  }
}
