import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DockerOptions } from 'dockerode'
import { AppError } from '../core/app-error.ts'
import { type SshPlace, parseSshUrl } from '../ssh/ssh-place.ts'

export interface EngineSurroundings {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly homeDirectory: string
}

const usualSocket = '/var/run/docker.sock'

/** Where an engine answers. */
export type EngineAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'ssh'; readonly place: SshPlace; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly certificates: string | undefined }

/** `unix:///run/docker.sock`, `tcp://host:2376`. */
export function describeAddress(address: EngineAddress): string {
  if (address.kind === 'ssh') return `ssh://${address.place.host}${address.path}`
  return address.kind === 'unix' ? `unix://${address.path}` : `tcp://${address.host}:${address.port}`
}

/**
 * The engine that DOCKER_HOST, or else CONTAINER_HOST, names; without them the usual sockets of Docker and podman, in the
 * order in which to try them. Throws `usage-invalid` for a variable that can not be understood.
 */
export function findEngineAddresses({ environment, homeDirectory }: EngineSurroundings): readonly EngineAddress[] {
  const named = environment['DOCKER_HOST'] || environment['CONTAINER_HOST']
  if (named) return [parseAddress(named, { environment, homeDirectory })]
  const runtime = environment['XDG_RUNTIME_DIR'] || `/run/user/${process.getuid?.() ?? 0}`
  return [
    usualSocket,
    join(runtime, 'docker.sock'),
    join(homeDirectory, '.docker/run/docker.sock'),
    join(runtime, 'podman/podman.sock'),
    '/run/podman/podman.sock',
  ].map((path) => ({ kind: 'unix', path }))
}

function parseAddress(text: string, { environment, homeDirectory }: EngineSurroundings): EngineAddress {
  if (text.startsWith('unix:///')) return { kind: 'unix', path: text.slice('unix://'.length) }
  if (text.startsWith('ssh://')) {
    const { place, path = usualSocket } = parseSshUrl(text)
    return { kind: 'ssh', place, path }
  }
  const url = URL.canParse(text) ? new URL(text) : undefined
  if ((url?.protocol === 'tcp:' || url?.protocol === 'https:') && url.hostname !== '') {
    const certificates = environment['DOCKER_TLS_VERIFY']
      ? environment['DOCKER_CERT_PATH'] || join(homeDirectory, '.docker')
      : undefined
    const port = url.port === '' ? (certificates === undefined ? 2375 : 2376) : Number(url.port)
    return { kind: 'tcp', host: url.hostname.replace(/^\[|\]$/g, ''), port, certificates }
  }
  throw new AppError('usage-invalid', 'DOCKER_HOST names no engine', {
    hint: 'write unix:///path/of/the.sock, ssh://user@host, or tcp://host:2376 (with DOCKER_TLS_VERIFY=1 and DOCKER_CERT_PATH for TLS)',
  })
}

/** Reads the certificates. Throws `engine-unreachable` if they can not be read. */
export async function dockerOptions(address: Exclude<EngineAddress, { kind: 'ssh' }>): Promise<DockerOptions> {
  if (address.kind === 'unix') return { socketPath: address.path }
  const { host, port, certificates } = address
  if (certificates === undefined) return { host, port, protocol: 'http' }
  const read = (name: string) =>
    readFile(join(certificates, name)).catch((cause: unknown) => {
      throw new AppError('engine-unreachable', `${join(certificates, name)} can not be read`, {
        cause,
        hint: 'DOCKER_TLS_VERIFY asks for TLS: DOCKER_CERT_PATH must be a directory with ca.pem, cert.pem and key.pem',
      })
    })
  const [ca, cert, key] = await Promise.all([read('ca.pem'), read('cert.pem'), read('key.pem')])
  return { host, port, protocol: 'https', ca, cert, key }
}
