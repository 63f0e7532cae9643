import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import type { ConnectionTarget } from '../../src/postgres/target/connection-target.ts'
import { loadSql, startTestServer, type TestServer } from '../../src/postgres/server/test-server.ts'
import { quoteIdentifier } from '../../src/postgres/sql/quote.ts'

/** What a page must show as text, whatever it looks like. */
export const hostileName = `<img src=x onerror="alert('table')">`

/** A server that is reached over TCP, as from elsewhere: the API takes no socket of the machine. */
export interface ReachableServer extends AsyncDisposable {
  readonly server: TestServer
  /** Of one of its databases, with the password in it. */
  url(database: string): string
}

export async function startReachableServer(): Promise<ReachableServer> {
  const server = await startTestServer()
  const [host] = server.target.hosts
  if (!host) throw new Error('a test server has a host')
  const path = join(host.host, `.s.PGSQL.${host.port}`)
  const open = new Set<Socket>()
  const door = createServer((outside) => {
    const inside = connect(path)
    for (const socket of [outside, inside]) {
      open.add(socket)
      socket.on('error', () => {}).on('close', () => open.delete(socket))
    }
    outside.pipe(inside).pipe(outside)
  })
  door.listen(0, '127.0.0.1')
  await once(door, 'listening')
  const { port } = door.address() as AddressInfo
  const secret = encodeURIComponent(server.target.password(host) ?? '')
  return {
    server,
    url: (database) => `postgres://${server.target.user}:${secret}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    [Symbol.asyncDispose]: async () => {
      door.close()
      for (const socket of open) socket.destroy()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** A small shop, one of whose tables has a hostile name and hostile contents. */
export async function createShop(server: TestServer, name: string, orders = 5000): Promise<ConnectionTarget> {
  const first = await server.createDatabase()
  await using session = await server.connect()
  await session.execute(`ALTER DATABASE ${quoteIdentifier(first.database)} RENAME TO ${quoteIdentifier(name)}`)
  const target = { ...first, database: name }
  await loadSql(
    target,
    `CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
     CREATE TABLE orders (id int PRIMARY KEY, customer int REFERENCES customers, total numeric(10, 2) NOT NULL);
     INSERT INTO customers SELECT n, 'Customer ' || n FROM generate_series(1, 500) n;
     INSERT INTO orders SELECT n, n % 500 + 1, n % 97 * 1.5 FROM generate_series(1, ${orders}) n;
     CREATE TABLE ${quoteIdentifier(hostileName)} (id int PRIMARY KEY, note text);
     INSERT INTO ${quoteIdentifier(hostileName)} VALUES (1, '<script>alert("row")</script>');`,
  )
  return target
}
