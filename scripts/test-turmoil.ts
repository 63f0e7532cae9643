/**
 * Backups while pgbench writes and tables are rewritten, emptied, changed, made, dropped, attached and detached:
 * npm run test:turmoil [-- --backups 50]. Each must be proven, or fail with an error that says why. A backup that is
 * silently wrong would break what always holds in that database, which every proof asks. Needs pgbench.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { setTimeout as delay } from 'node:timers/promises'
import { Connection } from '../src/postgres/wire/connection.ts'
import { sqlStateOf } from '../src/postgres/wire/postgres-error.ts'
import { prepareWorkplace } from './bench/workplace.ts'

const { values } = parseArgs({ options: { backups: { type: 'string', default: '50' } } })
const backups = Number(values.backups)

/** Rows whose number never changes, whatever is done to their tables. */
const tables = `
  CREATE TABLE rewritten AS SELECT i AS id, i AS changing, md5(i::text) AS v FROM generate_series(1, 20000) i;
  ALTER TABLE rewritten ADD PRIMARY KEY (id);
  CREATE TABLE refilled AS SELECT i AS id FROM generate_series(1, 5000) i;
  CREATE TABLE whole (id int, v text) PARTITION BY RANGE (id);
  CREATE TABLE half_1 PARTITION OF whole FOR VALUES FROM (0) TO (1000);
  CREATE TABLE half_2 PARTITION OF whole FOR VALUES FROM (1000) TO (2000);
  INSERT INTO whole SELECT i, 'v' FROM generate_series(0, 1999) i`

const assertions = {
  'accounts, tellers, branches and history agree': `SELECT (SELECT sum(abalance) FROM pgbench_accounts) IS NOT DISTINCT FROM coalesce((SELECT sum(delta) FROM pgbench_history), 0)
    AND (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(bbalance) FROM pgbench_branches) AND (SELECT sum(tbalance) FROM pgbench_tellers) = (SELECT sum(abalance) FROM pgbench_accounts)`,
  'rewritten has 20000 rows': `SELECT count(*) = 20000 AND sum(changing::text::numeric) = 200010000 FROM rewritten`,
  'refilled has 5000 rows': 'SELECT count(*) = 5000 FROM refilled',
  'both halves are there': 'SELECT (SELECT count(*) FROM half_1) = 1000 AND (SELECT count(*) FROM half_2) = 1000',
  'the newest table is whole': `SELECT bool_and((xpath('/row/n/text()', query_to_xml('SELECT count(*) AS n FROM ' || oid::regclass, false, true, '')))[1]::text = '100')
    IS NOT FALSE FROM pg_class WHERE relname LIKE 'fleeting%' AND relkind = 'r'`,
}

const turmoil = (round: number): readonly string[] => [
  'VACUUM FULL rewritten',
  'CLUSTER rewritten USING rewritten_pkey',
  'BEGIN; TRUNCATE refilled; INSERT INTO refilled SELECT i FROM generate_series(1, 5000) i; COMMIT',
  `ALTER TABLE rewritten ALTER changing TYPE ${['bigint', 'text USING changing::text', 'int USING changing::int'][round % 3]}`,
  `CREATE TABLE fleeting_${round} AS SELECT i FROM generate_series(1, 100) i`,
  `DROP TABLE IF EXISTS fleeting_${Math.max(0, round - 2)}`,
  'ALTER TABLE whole DETACH PARTITION half_2',
  'ALTER TABLE whole ATTACH PARTITION half_2 FOR VALUES FROM (1000) TO (2000)',
  'UPDATE rewritten SET v = md5(v) WHERE id % 10 = 0',
]

await using workplace = await prepareWorkplace((connection) => connection.execute(tables))
const { folder, run, environment, target } = workplace
const stop = new AbortController()
await run('pgbench -qi -s 5 >/dev/null 2>&1')
await writeFile(
  join(folder, 'pgrevive.yaml'),
  `databases:\n  turmoil:\n    url: postgres:///\n    assertions:\n${Object.entries(assertions)
    .map(([name, sql]) => `      - ${JSON.stringify({ name, sql })}\n`)
    .join('')}`,
)
await run('$PGREVIVE init --quiet >&2')

const pgbench = spawn('pgbench', ['-n', '-c', '2', '-R', '300', '-T', '86400'], {
  cwd: folder,
  env: environment,
  stdio: 'ignore',
})
const statements = new Map<string, number>()
const changing = (async () => {
  await using connection = await Connection.connect(target)
  for (let round = 1; !stop.signal.aborted; round++) {
    for (const statement of turmoil(round)) {
      try {
        await connection.execute(statement)
        const kind = statement
          .replace(/^BEGIN; /, '')
          .split(' ')
          .slice(0, 2)
          .join(' ')
        statements.set(kind, (statements.get(kind) ?? 0) + 1)
      } catch (error) {
        if (sqlStateOf(error) !== '40P01') throw error // a deadlock with pgbench is nothing of ours
      }
      await delay(300 * Math.random())
    }
  }
})()

const outcomes = { proven: 0, 'failed with a clear error': 0, 'silently wrong': 0 }
for (let number = 1; number <= backups; number++) {
  const pgrevive = async (command: string) => {
    const script = `$PGREVIVE ${command} --quiet --json >answer.json 2>/dev/null`
    const code = await promisify(execFile)('bash', ['-c', script], { cwd: folder, env: environment }).then(
      () => 0,
      (error: { code?: number }) => error.code ?? -1,
    )
    const answer = await readFile(join(folder, 'answer.json'), 'utf8')
    return { code, text: answer.slice(0, 2000) }
  }
  const backup = await pgrevive('backup')
  if (backup.code !== 0) {
    // 1 is a bug, and an answer without a code is none
    const clear = backup.code !== 1 && backup.text.includes('"code"')
    outcomes[clear ? 'failed with a clear error' : 'silently wrong']++
    process.stderr.write(`${number}: exit ${backup.code} ${backup.text.replaceAll(/\s+/g, ' ')}\n`)
    continue
  }
  const proof = await pgrevive('prove')
  if (proof.code === 0) outcomes.proven++
  else {
    outcomes['silently wrong']++
    process.stderr.write(`${number}: the proof: exit ${proof.code} ${proof.text}\n`)
  }
  process.stderr.write(`${number}: ${JSON.stringify(outcomes)}\n`)
}
stop.abort()
const ended = once(pgbench, 'exit')
pgbench.kill()
await Promise.all([changing, ended])
process.stdout.write(
  `${backups} backups: ${Object.entries(outcomes)
    .map((pair) => pair.toReversed().join(' '))
    .join(', ')}\n` + `meanwhile: ${[...statements].map(([kind, count]) => `${count} ${kind}`).join(', ')}\n`,
)
process.exitCode = outcomes['silently wrong'] > 0 || outcomes.proven === 0 ? 1 : 0
