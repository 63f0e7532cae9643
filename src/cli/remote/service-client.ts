import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { AppError, type ErrorCode, errorCodes, messageOf } from '../../core/app-error.ts'
import { readSecret } from '../../core/read-secret.ts'
import type { Environment } from '../../postgres/target/connection-target.ts'
import { problem } from '../../shapes/common.ts'
import { serviceEvent, type ServiceEvent } from '../../shapes/service.ts'

const again = { pauseMs: 2000 }

/** What speaks to the service of --server, as whoever PGREVIVE_TOKEN stands for. */
export class ServiceClient {
  readonly #url: URL
  readonly #token: string
  readonly #signal: AbortSignal

  private constructor(url: URL, token: string, signal: AbortSignal) {
    this.#url = url
    this.#token = token
    this.#signal = signal
  }

  /** Throws `usage-invalid` for what is no address, and where there is no token. */
  static async create(server: string, environment: Environment, signal: AbortSignal): Promise<ServiceClient> {
    const url = URL.parse(server)
    if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
      throw new AppError('usage-invalid', '--server is no address of a service', { hint: 'https://pgrevive.example' })
    }
    const token = await readSecret('PGREVIVE_TOKEN', environment, 'usage-invalid')
    if (token !== undefined) return new ServiceClient(url, token, signal)
    throw new AppError('usage-invalid', 'no token for the service is given', {
      hint: 'set PGREVIVE_TOKEN, or PGREVIVE_TOKEN_FILE; an admin makes one in the dashboard, under "Tokens"',
    })
  }

  /** Rejects with what the service says is wrong, and with `service-unreachable`. */
  async ask<Schema extends z.ZodType>(schema: Schema, method: 'GET' | 'POST', path: string, body?: unknown) {
    const response = await this.#fetch(method, path, body)
    const text = await response.text()
    const answer = parseJson(text)
    if (response.ok) {
      const { data } = schema.safeParse(answer)
      if (data !== undefined) return data
      throw this.#foreign('it answers otherwise than this pgrevive expects')
    }
    throw refusalOf(answer) ?? this.#foreign(`it answers with status ${response.status}`)
  }

  /** What happens, from now on until the signal; what breaks is begun again. */
  async *events(signal: AbortSignal): AsyncGenerator<ServiceEvent> {
    const either = AbortSignal.any([signal, this.#signal])
    while (!either.aborted) {
      try {
        const response = await this.#fetch('GET', '/api/events', undefined, either)
        for await (const data of readEvents(response)) {
          const event = serviceEvent.safeParse(parseJson(data)).data
          if (event) yield event
        }
      } catch (error) {
        if (either.aborted) return
        if (!(error instanceof AppError && error.code === 'service-unreachable')) throw error
      }
      await delay(again.pauseMs, undefined, { signal: either }).catch(() => undefined)
    }
  }

  async #fetch(method: string, path: string, body: unknown, signal = this.#signal): Promise<Response> {
    try {
      return await fetch(new URL(path, this.#url), {
        method,
        signal,
        redirect: 'error', // the token is for nobody else
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    } catch (cause) {
      if (signal.aborted) throw signal.reason
      const why = cause instanceof Error && cause.cause !== undefined ? messageOf(cause.cause) : messageOf(cause)
      throw new AppError('service-unreachable', `${this.#url.origin} can not be reached: ${why}`, {
        cause,
        hint: 'does "pgrevive serve" run there?',
      })
    }
  }

  #foreign(why: string): AppError {
    return new AppError('service-unreachable', `${this.#url.origin} is no service of pgrevive: ${why}`, {
      hint: 'check the address; something in front of the service may answer instead of it',
    })
  }
}

const known = z.string().refine((code): code is ErrorCode => Object.hasOwn(errorCodes, code))

/** The error of a problem, or of a run. */
export function errorOf(error: { code: string; message: string; hint?: string | undefined }): AppError {
  const code = known.safeParse(error.code).data ?? 'unexpected'
  return new AppError(code, error.message, error.hint === undefined ? {} : { hint: error.hint })
}

function refusalOf(answer: unknown): AppError | undefined {
  const { data } = problem.safeParse(answer)
  return data && errorOf(data.error)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The data of server-sent events. */
async function* readEvents(response: Response): AsyncGenerator<string> {
  if (!response.ok || !response.body)
    throw refusalOf(parseJson(await response.text())) ?? new AppError('service-unreachable', 'no events come')
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of response.body) {
    rest += decoder.decode(piece, { stream: true })
    const blocks = rest.split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const lines = block.split('\n').flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trimStart()] : []))
      if (lines.length > 0) yield lines.join('\n')
    }
  }
}
