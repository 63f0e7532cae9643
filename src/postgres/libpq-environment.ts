import { writeFile } from 'node:fs/promises'
import { devNull } from 'node:os'
import { join } from 'node:path'
import { createTemporaryDirectory } from '../core/temporary-directory.ts'
import type { ConnectionTarget } from './connection-target.ts'

/**
 * The environment that makes a program with libpq connect to the target, and to nothing else: it holds no other variable
 * than these, so that nothing is inherited, and no home directory, so that no file is found. `PGDATABASE` is not parsed
 * as a connection string. The password is the first host's. Dispose it once the program has ended: the passphrase of a
 * key, which has no variable, lies in a file that only this user can read.
 */
export async function libpqEnvironment(
  target: ConnectionTarget,
): Promise<AsyncDisposable & { readonly variables: Readonly<Record<string, string>> }> {
  await using owned = new AsyncDisposableStack()
  const passphrase = target.sslpassword()
  const service = passphrase === undefined ? {} : await writeService(owned, passphrase)
  const list = (values: readonly (string | number | undefined)[]) => values.map((value) => value ?? '').join(',')
  const [first] = target.hosts
  const variables = {
    ...service,
    HOME: devNull,
    PGHOST: list(target.hosts.map(({ host }) => host)),
    PGHOSTADDR: target.hosts.some(({ address }) => address)
      ? list(target.hosts.map(({ address }) => address))
      : undefined,
    PGPORT: list(target.hosts.map(({ port }) => port)),
    PGUSER: target.user,
    PGDATABASE: target.database,
    PGPASSWORD: first && target.password(first),
    PGSSLMODE: target.sslmode,
    PGSSLNEGOTIATION: target.sslNegotiation,
    PGSSLROOTCERT: target.sslrootcert,
    PGSSLCERT: target.sslcert,
    PGSSLKEY: target.sslkey,
    PGSSLCRL: target.sslcrl,
    PGSSLSNI: target.sslSni ? '1' : '0',
    PGSSLMINPROTOCOLVERSION: target.sslMinVersion,
    PGSSLMAXPROTOCOLVERSION: target.sslMaxVersion,
    PGGSSENCMODE: 'disable',
    PGCHANNELBINDING: target.channelBinding,
    PGREQUIREAUTH: target.requireAuth?.join(','),
    PGOPTIONS: target.options,
    PGAPPNAME: target.applicationName,
    PGCONNECT_TIMEOUT: String(Math.ceil(target.connectTimeoutMs / 1000)),
    PGTARGETSESSIONATTRS: target.targetSessionAttrs,
  }
  const held = owned.move()
  return {
    variables: Object.fromEntries(
      Object.entries(variables).filter((pair): pair is [string, string] => pair[1] !== undefined),
    ),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}

async function writeService(owned: AsyncDisposableStack, passphrase: string): Promise<Record<string, string>> {
  const directory = owned.use(await createTemporaryDirectory('libpq'))
  const path = join(directory.path, 'pg_service.conf')
  await writeFile(path, `[pgrevive]\nsslpassword=${passphrase}\n`, { mode: 0o600 })
  return { PGSERVICE: 'pgrevive', PGSERVICEFILE: path }
}
