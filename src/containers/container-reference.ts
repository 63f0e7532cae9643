import { AppError } from '../core/app-error.ts'
import type { Container } from './container.ts'
import type { Engine } from './engine.ts'

/** A database in a container, as a person names it. */
export interface ContainerReference {
  readonly in:
    | { readonly kind: 'container'; readonly name: string }
    | { readonly kind: 'service'; readonly project: string; readonly service: string }
  readonly user: string | undefined
  readonly password: string | undefined
  /** Undefined: the one that the container was made with. */
  readonly database: string | undefined
  /** Other settings of libpq: `sslmode=require`. */
  readonly settings: ReadonlyMap<string, string>
}

const hint =
  'write docker://CONTAINER/DATABASE or compose://PROJECT/SERVICE/DATABASE; user and password come from the container unless you give docker://USER@CONTAINER/DATABASE and PGPASSWORD'

export function isContainerUrl(text: string): boolean {
  return /^(docker|podman|compose):\/\//.test(text)
}

/** Throws `connection-invalid`, and repeats nothing of a text that may hold a password. */
export function parseContainerUrl(text: string): ContainerReference {
  const [, scheme, user, password, path = '', query] =
    /^(docker|podman|compose):\/\/(?:([^@/:]*)(?::([^@/]*))?@)?([^?#@]*)(?:\?([^#]*))?$/.exec(text) ?? []
  const parts = path.replace(/\/$/, '').split('/').map(decode)
  const [first = '', second, third] = parts
  const isService = scheme === 'compose'
  if (scheme === undefined || parts.length > (isService ? 3 : 2) || parts.includes('') || (isService && !second)) {
    throw new AppError('connection-invalid', 'the URL names no database in a container', { hint })
  }
  return {
    in: isService ? { kind: 'service', project: first, service: second ?? '' } : { kind: 'container', name: first },
    user: user ? decode(user) : undefined,
    password: password ? decode(password) : undefined,
    database: isService ? third : second,
    settings: new Map(new URLSearchParams(query)),
  }
}

/** The URL of another database in the same container. Throws `connection-invalid`. */
export function withContainerDatabase(url: string, database: string): string {
  const place = parseContainerUrl(url).in
  const [beginning = '', query] = url.split('?', 2)
  const parts = beginning.replace(/\/$/, '').split('/')
  // scheme, nothing, container or project, and of compose the service
  const kept = parts.slice(0, place.kind === 'service' ? 4 : 3)
  return [...kept, encodeURIComponent(database)].join('/') + (query === undefined ? '' : `?${query}`)
}

/** Throws `container-missing`. */
export async function findContainer(engine: Engine, reference: ContainerReference): Promise<Container> {
  const place = reference.in
  return place.kind === 'container'
    ? engine.container(place.name)
    : engine.serviceContainer(place.project, place.service)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new AppError('connection-invalid', 'the URL of a database in a container holds a malformed "%"', {
      cause,
      hint: 'write "%" as %25',
    })
  }
}
