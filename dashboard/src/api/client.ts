import type { Problem } from '../../../src/shapes/common.ts'

/** What the API refused or could not do: code, message and hint as the service tells them. */
export class ApiError extends Error {
  readonly code: string
  readonly hint: string | undefined
  /** HTTP status; 0 if the service did not answer at all. */
  readonly status: number

  constructor(status: number, problem: Problem['error']) {
    super(problem.message)
    this.status = status
    this.code = problem.code
    this.hint = problem.hint
  }
}

let csrf: string | null = null
let signedOut = () => {}

/** The token of the session, which everything that changes something has to name. */
export function setCsrf(token: string | null): void {
  csrf = token
}

/** Called when the service no longer knows who asks. */
export function onSignedOut(then: () => void): void {
  signedOut = then
}

/** An address below /api; what is put in is encoded, whatever a database or table may be called. */
export function at(parts: TemplateStringsArray, ...names: (string | number)[]): string {
  return '/api/' + parts.reduce((path, part, index) => path + encodeURIComponent(String(names[index - 1])) + part)
}

/** An address with a query; what is undefined or empty is left out. */
export function withQuery(path: string, query: Record<string, string | number | boolean | undefined>): string {
  const entries = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === '' ? [] : [[name, String(value)]],
  )
  return entries.length === 0 ? path : `${path}?${new URLSearchParams(entries)}`
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** @throws ApiError */
export async function call<Answer>(
  method: Method,
  path: string,
  body?: unknown,
  { signal, headers: more }: { signal?: AbortSignal | undefined; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const headers: Record<string, string> = { accept: 'application/json', ...more }
  if (body !== undefined) headers['content-type'] = 'application/json'
  if (method !== 'GET' && csrf !== null) headers['x-pgrevive-csrf'] = csrf
  let response: Response
  try {
    response = await fetch(path, {
      method,
      headers,
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new ApiError(0, {
      code: 'unreachable',
      message: 'The service does not answer.',
      hint: 'Is "pgrevive serve" running? Nothing that it had begun is lost: it goes on where it was when it starts again.',
    })
  }
  const text = await response.text()
  if (response.ok) return (text === '' ? undefined : JSON.parse(text)) as Answer
  const problem = problemOf(response.status, text)
  if (response.status === 401 && !path.startsWith('/api/auth/')) signedOut()
  throw problem
}

/** Answers of better-auth are { code, message }; all others { error: { code, message, hint } }. */
function problemOf(status: number, text: string): ApiError {
  try {
    const answer = JSON.parse(text) as Partial<Problem> & { code?: string; message?: string }
    if (answer.error) return new ApiError(status, answer.error)
    if (answer.message !== undefined)
      return new ApiError(status, { code: answer.code ?? String(status), message: answer.message })
  } catch {
    // Not JSON: something in front of the service answered.
  }
  return new ApiError(status, {
    code: String(status),
    message: `The answer was ${status}${text === '' ? '' : `: ${text.slice(0, 200)}`}.`,
    hint: 'Something in front of the service may have answered instead of it: look at the proxy.',
  })
}

export const get = <Answer>(path: string, signal?: AbortSignal) => call<Answer>('GET', path, undefined, { signal })
export const post = <Answer>(path: string, body: unknown = {}) => call<Answer>('POST', path, body)
export const put = <Answer>(path: string, body: unknown = {}) => call<Answer>('PUT', path, body)
/** Refused where there is one of that name. */
export const putNew = <Answer>(path: string, body: unknown) =>
  call<Answer>('PUT', path, body, { headers: { 'if-none-match': '*' } })
export const patch = <Answer>(path: string, body: unknown) => call<Answer>('PATCH', path, body)
export const remove = <Answer>(path: string) => call<Answer>('DELETE', path)
