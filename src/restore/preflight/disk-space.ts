import { readFile, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Connection } from '../../postgres/wire/connection.ts'
import { type PreflightFinding, bad, good, note } from './preflight-finding.ts'
import type { NeededSpace } from './needed-space.ts'

interface QueryOptions {
  readonly signal?: AbortSignal | undefined
}

const check = 'disk space'

/**
 * Whether what is needed fits on the disks of the server. PostgreSQL tells nobody how much room it has, so that is known
 * only where the server's data directory lies on this machine. `tablespace` is the database's own, `freed` the bytes in it
 * that are given back before.
 */
export async function checkDiskSpace(
  connection: Connection,
  needed: ReadonlyMap<string | undefined, NeededSpace>,
  { tablespace, freed }: { readonly tablespace: string; readonly freed: number },
  options: QueryOptions = {},
): Promise<PreflightFinding[]> {
  const likely = [...needed.values()].reduce((sum, space) => sum + space.likely, 0)
  const locations = await locateTablespaces(connection, options)
  if (!locations) {
    const meaning = `about ${megabytes(likely)} are needed; what is free is only known on the machine of the server`
    return [note(check, 'unknown', meaning)]
  }
  const findings: PreflightFinding[] = []
  const home = locations.get(tablespace)
  for (const disk of await groupByDisk(needed, (name) => (name === undefined ? home : locations.get(name)))) {
    findings.push(judge(disk.path === home ? { ...disk, free: disk.free + freed } : disk))
  }
  return findings
}

interface Disk extends NeededSpace {
  readonly path: string
  readonly free: number
}

function judge({ path, free, least, likely }: Disk): PreflightFinding {
  const answer = `${megabytes(free)} free`
  if (free < least) {
    return bad(
      check,
      answer,
      'server-full',
      `the disk of ${path} has ${megabytes(free)} free, and the restore needs at least ${megabytes(least)}, likely ${megabytes(likely)}`,
      'free space on the disk of the server, or restore less of it (--table, --schema), or onto another server',
    )
  }
  if (free < likely) return note(check, answer, `tight: about ${megabytes(likely)} are needed in ${path}`)
  return good(check, answer, `about ${megabytes(likely)} are needed in ${path}`)
}

async function groupByDisk(
  needed: ReadonlyMap<string | undefined, NeededSpace>,
  locationOf: (tablespace: string | undefined) => string | undefined,
): Promise<Disk[]> {
  const disks = new Map<string, Disk>()
  for (const [tablespace, { least, likely }] of needed) {
    const path = locationOf(tablespace)
    if (path === undefined || likely === 0) continue
    const found = await statfs(path).catch(() => undefined) // where this user may not look, the server finds out
    if (!found) continue
    const { type, bsize, blocks, bavail } = found
    // two file systems that have as much in all and as much free are one
    const key = [type, bsize, blocks, bavail].join()
    const known = disks.get(key) ?? { path, free: bsize * bavail, least: 0, likely: 0 }
    disks.set(key, { ...known, least: known.least + least, likely: known.likely + likely })
  }
  return [...disks.values()]
}

/** The directory of each tablespace; undefined where the server is not on this machine, or keeps it to itself. */
async function locateTablespaces(
  connection: Connection,
  options: QueryOptions,
): Promise<Map<string, string> | undefined> {
  const [[directory, startedAt] = []] = await connection.query(
    `SELECT setting, pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time())
     FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.=) 'data_directory'`,
    options,
  )
  if (!directory || !startedAt || !(await isOfThisServer(directory, Number(startedAt)))) return undefined
  const rows = await connection.query(
    'SELECT spcname, pg_catalog.pg_tablespace_location(oid) FROM pg_catalog.pg_tablespace',
    options,
  )
  return new Map(rows.map(([name, location]) => [name ?? '', location || directory]))
}

/**
 * Whether the directory is that of the server that answers, and not one of the same name on another machine or outside of
 * a container: the third line of postmaster.pid tells when its server was started, to the second.
 */
async function isOfThisServer(directory: string, startedAt: number): Promise<boolean> {
  try {
    const lines = (await readFile(join(directory, 'postmaster.pid'), 'utf8')).split('\n')
    return Math.abs(Number(lines[2]) - startedAt) < 2
  } catch (error) {
    if (error instanceof Error && 'code' in error) return false // not there, or not for everybody to read
    throw error
  }
}

function megabytes(bytes: number): string {
  const value = bytes / 1e6
  return value < 10_000 ? `${Math.ceil(value)} MB` : `${Math.ceil(value / 1000)} GB`
}
