import { dirname, join, posix } from 'node:path'
import { AppError } from '../core/app-error.ts'
import type { Container } from './container.ts'

/** Where a container's server has its data, on the machine of the engine; and where what is there can be set aside. */
export interface DataPlace {
  /** What a person calls it: `volume travelscout_postgres_data`. */
  readonly name: string
  readonly kind: 'volume' | 'directory'
  /** What the engine, or the file system, calls it. */
  readonly id: string
  /** The directory that holds both this place and those beside it. */
  readonly root: string
  /** Of what is there, below `root`. */
  readonly path: string
}

const usualDirectories = ['/var/lib/postgresql/data', '/var/lib/postgresql', '/bitnami/postgresql']

/** Throws `engine-failed` where the data can not be set aside: it lies in the container itself, or with another driver. */
export function findDataPlace(container: Container): DataPlace {
  const wanted = container.environment.get('PGDATA')
  const mounts = container.inspection.Mounts.toSorted((a, b) => b.Destination.length - a.Destination.length)
  const mount = wanted
    ? mounts.find(({ Destination }) => isBelow(wanted, Destination))
    : usualDirectories
        .map((directory) => mounts.find(({ Destination }) => Destination === directory))
        .find((found) => found !== undefined)
  if (!mount) {
    throw cannot(
      container,
      'keeps the data of its server in no volume and no directory',
      'back it up, and give it a volume',
    )
  }
  if (mount.Type === 'bind') {
    const { Source } = mount
    return {
      name: `directory ${Source}`,
      kind: 'directory',
      id: Source,
      root: dirname(Source),
      path: posix.basename(Source),
    }
  }
  const { Name: volume = '', Source, Driver } = mount
  const root = dirname(dirname(Source))
  if (mount.Type !== 'volume' || Driver !== 'local' || join(root, volume, '_data') !== Source) {
    throw cannot(
      container,
      `keeps its data in a mount of the kind ${mount.Type}, driver ${Driver ?? 'none'}`,
      'keep what is there by the means of that driver, then "pgrevive restore" into a fresh server',
    )
  }
  return { name: `volume ${volume}`, kind: 'volume', id: volume, root, path: `${volume}/_data` }
}

/** Where it is kept: beside it, under another name. */
export function keptPlace(place: DataPlace, run: string): DataPlace {
  const id = `${place.id}_damaged_${run}`
  return {
    ...place,
    id,
    name: `${place.kind} ${id}`,
    path: place.kind === 'volume' ? `${id}/_data` : posix.basename(id),
  }
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory.replace(/\/$/, '')}/`)
}

function cannot({ name }: Container, problem: string, hint: string): AppError {
  return new AppError('engine-failed', `${name} ${problem}: recover can not set it aside`, { hint })
}
