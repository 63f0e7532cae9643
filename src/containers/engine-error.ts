import { AppError, type ErrorCode, messageOf } from '../core/app-error.ts'

/** What an engine, or the way to it, answered, as an operator sees it. `what` says what was asked: `stopping app`. */
export function engineFailure(error: unknown, what: string, place: string): AppError {
  if (error instanceof AppError) return error
  const [code, message, hint] = explain(error, what, place)
  return new AppError(code, message, { cause: error, hint })
}

export function statusOf(error: unknown): number | undefined {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  return typeof status === 'number' ? status : undefined
}

function explain(error: unknown, what: string, place: string): [code: ErrorCode, message: string, hint: string] {
  const status = statusOf(error)
  if (status !== undefined) {
    const message = `the container engine refused ${what}: ${reasonOf(error)}`
    if (/not running|running containers|is paused|state improper/i.test(reasonOf(error))) {
      return ['container-stopped', message, 'start the container, and look into its log ("docker logs NAME")']
    }
    return [
      'engine-failed',
      message,
      'look into the log of the engine, and whether the same works with its own program',
    ]
  }
  const errno = error instanceof Error && 'code' in error ? error.code : undefined
  if (errno === 'EACCES' || errno === 'EPERM') {
    return [
      'engine-unreachable',
      `the container engine at ${place} lets this user not in`,
      'add the user to the group "docker", use sudo, or set DOCKER_HOST to the socket of your own podman',
    ]
  }
  if (errno === 'ECONNREFUSED') {
    return [
      'engine-unreachable',
      `the container engine at ${place} does not run`,
      'start it: "systemctl start docker", or "systemctl --user start podman.socket"',
    ]
  }
  if (errno === 'ENOENT') {
    return [
      'engine-unreachable',
      `there is no container engine at ${place}`,
      'start Docker or podman there ("systemctl start docker"), or correct DOCKER_HOST',
    ]
  }
  return [
    'engine-unreachable',
    `the container engine at ${place} does not answer to ${what}: ${messageOf(error)}`,
    'check that it runs, DOCKER_HOST, and the certificates if it is reached over TLS',
  ]
}

/** The engine's own words, which dockerode wraps. */
function reasonOf(error: unknown): string {
  const json = error instanceof Error && 'json' in error ? error.json : undefined
  if (typeof json === 'object' && json !== null && 'message' in json) return String(json.message)
  return messageOf(error)
}
