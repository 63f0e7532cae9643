import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { letADayPass } from '../../src/cli/demo/travel-day.ts'
import type { Measurement } from './measure.ts'
import { sizeOf, type Workplace } from './workplace.ts'
import { readProfile } from './profile.ts'

export interface SpeedRow extends Measurement {
  readonly id: string
  readonly what: string
  /** What the command added to its store. */
  readonly storedBytes?: number
}

/** Backs up and restores by each way, one after the other. Without peers: the floor and pgrevive alone. */
export async function measureSpeed(
  bench: Workplace,
  options: { readonly peers: boolean },
): Promise<{ rows: readonly SpeedRow[]; profile: readonly (readonly [string, number])[] }> {
  const { connection, folder, run, has } = bench
  const rows: SpeedRow[] = []
  const add = async (id: string, what: string, command: string, stored?: string) => {
    process.stderr.write(`${what} …\n`)
    const before = stored === undefined ? 0 : await sizeOf(join(folder, stored)).catch(() => 0)
    const measured = await run(command)
    const after = stored === undefined ? undefined : (await sizeOf(join(folder, stored))) - before
    rows.push({ id, what, ...measured, ...(after === undefined ? {} : { storedBytes: after }) })
  }
  const tables = await connection.query(
    `SELECT c.oid::regclass::text FROM pg_class c WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY pg_relation_size(c.oid) DESC`,
  )
  const names = tables.map(([name]) => `'${name}'`).join(' ')
  const floor = `printf '%s\\n' ${names} | xargs -P2 -I{} psql -qXc 'COPY {} TO STDOUT' >/dev/null`
  const backup = '$PGREVIVE backup --quiet --jobs 2'

  await run(floor) // so that everything is as warm as it gets
  await add('floor', 'floor: psql, COPY to /dev/null', floor)
  await run('$PGREVIVE init --quiet')
  await add('first', 'pgrevive backup, the first', backup, 'repository')
  await add('unchanged', 'pgrevive backup, nothing changed', backup, 'repository')
  if (options.peers) {
    await add('guide', 'pg_dump -Fc | gzip, the guides’', 'pg_dump -Fc | gzip >guide.gz', 'guide.gz')
    await add('directory', 'pg_dump -Fd -j2', 'pg_dump -Fd -j2 -f dump.dir', 'dump.dir')
    if (has('zstd')) {
      await add('zstd', 'pg_dump -Fc -Z0 | zstd -3 -T2', 'pg_dump -Fc -Z0 | zstd -q -3 -T2 >dump.zst', 'dump.zst')
    }
    if (has('restic')) {
      await run('restic init --quiet')
      const restic = 'pg_dump -Fc -Z0 | restic backup --quiet --stdin --stdin-filename dump'
      await add('restic', 'pg_dump -Fc -Z0 | restic, the first', restic, 'restic')
      await add('restic-unchanged', 'pg_dump -Fc -Z0 | restic, nothing changed', restic, 'restic')
    }
    if (has('pgbackrest')) {
      const pgbackrest = await configurePgBackRest(bench)
      await add(
        'pgbackrest',
        'pgBackRest, full (files of the cluster)',
        `${pgbackrest} backup --type=full`,
        'pgbackrest',
      )
    }
  }
  await letADayPass(connection)
  await add('day', 'pgrevive backup, after a day of work', backup, 'repository')

  if (options.peers) {
    await run('pg_dump -Fd -j2 -f restore.dir')
    await connection.execute('CREATE DATABASE bench_pg_restore')
    await add('pg_restore', 'pg_restore -j2', 'pg_restore -j2 -d bench_pg_restore restore.dir')
    await add('analyze', 'vacuumdb --analyze-only -j2 after it', 'vacuumdb -q --analyze-only -j2 -d bench_pg_restore')
    await connection.execute('DROP DATABASE bench_pg_restore')
    if (has('pgcopydb')) {
      await connection.execute('CREATE DATABASE bench_pgcopydb')
      const clone =
        'pgcopydb clone --source "dbname=$PGDATABASE" --target "dbname=bench_pgcopydb" --table-jobs 2 --index-jobs 2 --dir copydb'
      await add('pgcopydb', 'pgcopydb clone (dump and restore in one)', `${clone} >/dev/null 2>&1`)
      await connection.execute('DROP DATABASE bench_pgcopydb')
    }
  }
  const restore = '$PGREVIVE restore latest --quiet --jobs 2'
  await add('restore-bare', 'pgrevive restore --no-analyze', `${restore} --no-analyze --to bench_bare`)
  await connection.execute('DROP DATABASE bench_bare')
  await add('restore', 'pgrevive restore', `${restore} --to bench_restore`)
  const one = '--table public.accommodations --to bench_table'
  await add('one-table', 'pgrevive restore of one small table', `$PGREVIVE restore latest ${one} --quiet`)
  await connection.execute('DROP DATABASE bench_restore')
  await connection.execute('DROP DATABASE bench_table')
  await add('prove', 'pgrevive prove', '$PGREVIVE prove --quiet --jobs 2')

  await run('rm -rf repository pgrevive-recovery-kit.txt && $PGREVIVE init --quiet')
  const profiled = '${PGREVIVE/node/node --cpu-prof --cpu-prof-dir=profile}'
  await run(`${profiled} backup --quiet --jobs 2`)
  return { rows, profile: await readProfile(join(folder, 'profile')) }
}

/** Returns the command's beginning. It backs up the whole cluster, files as they are; that it archives no WAL is forgiven. */
async function configurePgBackRest({ connection, folder, run }: Workplace): Promise<string> {
  const [[directory, socket, port, user] = []] = await connection.query(
    `SELECT current_setting('data_directory'), trim('"' from current_setting('unix_socket_directories')), current_setting('port'), current_user`,
  )
  const config = join(folder, 'pgbackrest.conf')
  const paths = ['pgbackrest', 'pgbackrest-log', 'pgbackrest-lock'].map((name) => join(folder, name))
  await Promise.all(paths.map((path) => mkdir(path)))
  const [repository, log, lock] = paths
  await writeFile(
    config,
    `[global]\nrepo1-path=${repository}\nlog-path=${log}\nlock-path=${lock}\nspool-path=${lock}\nprocess-max=2\ncompress-type=zst\nstart-fast=y\narchive-check=n\nrepo1-retention-full=9\n` +
      `[bench]\npg1-path=${directory}\npg1-socket-path=${socket}\npg1-port=${port}\npg1-user=${user}\n`,
  )
  const command = `pgbackrest --config=${config} --stanza=bench --log-level-console=error`
  await run(`${command} stanza-create`)
  return command
}
